"""A page as the browser gets it: over the app's WebSocket, without a browser."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.loopback import PATIENCE_S

__all__ = ["Visited", "visit"]


@dataclass
class Visited:
    """What a first visitor of one address was sent."""

    headings: list[str] = field(default_factory=list)
    colours: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)


def visit(address: str, page: str) -> Visited:
    """Come to a page by its address, and stay until it has run."""
    ask = BackMsg()
    ask.rerun_script.page_name = page
    seen = Visited()
    with connect(
        f"ws://{address}/_stcore/stream",
        subprotocols=[Subprotocol("streamlit")],
        max_size=None,
        open_timeout=PATIENCE_S,
    ) as line:
        line.send(ask.SerializeToString())
        while True:
            message = ForwardMsg()
            message.ParseFromString(line.recv(timeout=PATIENCE_S))
            if message.WhichOneof("type") == "script_finished":
                return seen
            note(message, seen)


def note(message: ForwardMsg, seen: Visited) -> None:
    """Keep what tells whether it is our page, in our looks, and whole."""
    kind = message.WhichOneof("type")
    if kind == "new_session":
        theme = message.new_session.custom_theme
        seen.colours |= {theme.light.primary_color, theme.dark.primary_color}
    elif kind == "page_not_found":
        seen.wrong.append("page not found")
    elif kind == "delta" and message.delta.HasField("new_element"):
        element = message.delta.new_element
        if element.HasField("heading"):
            seen.headings.append(element.heading.body)
        if element.HasField("exception"):
            seen.wrong.append(element.exception.message)
