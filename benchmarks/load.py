"""Measure the form with many users: ``python benchmarks/load.py [--people 50] [--every 5]``.

Starts the app as ``make run`` does, as one process, and lets users change a field of a house at
the same time, each over a WebSocket with Streamlit's messages, as a browser would. The time of a
change ends when the script of the page has finished; the new value must be in the messages.
Rendering in the browser comes on top: ``benchmarks/pages.py`` measures it. Memory is that of the
server with all users beside that before they came; Streamlit forgets a user two minutes after the
connection is lost, so the memory after they left is measured later.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from loopback import Server, free_port, serving
from rich.console import Console
from rich.table import Table
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

ROOT = Path(__file__).parents[1]
AREA = "Living area above ground (sq ft)"
GOAL_MS = 300
PATIENCE_S = 60
CONSOLE = Console(width=120)


@dataclass
class Figures:
    """The measurements."""

    first_ms: list[float] = field(default_factory=list)
    change_ms: list[float] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    processor_s: float = 0.0
    added_mb: float = 0.0


@dataclass
class Person:
    """A user with the form open, and the state that the browser keeps."""

    socket: ClientConnection
    page: str = ""
    fragment: str = ""
    texts: dict[str, tuple[str, str]] = field(default_factory=dict)
    value: str = ""

    async def open_form(self, figures: Figures) -> None:
        """Open the page by its URL."""
        message = BackMsg()
        message.rerun_script.page_name = "house"
        figures.first_ms.append(await self._ask(message, figures))
        if AREA not in self.texts or not self.value:
            raise RuntimeError("the form did not come with a value")

    async def change(self, area: float, figures: Figures) -> None:
        """Enter another living area, and wait for the new value."""
        widget, _ = self.texts[AREA]
        self.texts[AREA] = (widget, f"{area:.0f}")
        message = BackMsg()
        state = message.rerun_script
        state.page_script_hash, state.fragment_id = self.page, self.fragment
        for name, text in self.texts.values():
            state.widget_states.widgets.add(id=name, string_value=text)
        self.value = ""
        figures.change_ms.append(await self._ask(message, figures))
        if not self.value:
            raise RuntimeError("a change was answered without a value")

    async def _ask(self, message: BackMsg, figures: Figures) -> float:
        start = time.perf_counter()
        await self.socket.send(message.SerializeToString())
        received = 0
        while True:
            data = await asyncio.wait_for(self.socket.recv(decode=False), PATIENCE_S)
            received += len(data)
            message_in = ForwardMsg.FromString(data)
            if message_in.WhichOneof("type") == "script_finished":
                figures.received.append(received)
                return (time.perf_counter() - start) * 1_000
            self._take(message_in)

    def _take(self, message_in: ForwardMsg) -> None:
        if message_in.WhichOneof("type") == "navigation":
            self.page = message_in.navigation.page_script_hash
        if message_in.WhichOneof("type") != "delta":
            return
        element = message_in.delta.new_element
        if element.WhichOneof("type") == "text_input":
            text = element.text_input
            start = text.value if text.set_value else text.default
            self.texts[text.label] = (text.id, start)
            if text.label == AREA:
                self.fragment = message_in.delta.fragment_id
        elif element.WhichOneof("type") == "metric" and not self.value:
            self.value = element.metric.body


async def live(people: list[Person], number: int, every: float, until: float, to: Figures) -> None:
    """Simulate one user: change a field at intervals, each user at a different moment."""
    chance = random.Random(number)  # noqa: S311 (not for security)
    await asyncio.sleep(every * number / len(people))
    while (started := time.perf_counter()) < until:
        await people[number].change(float(chance.randrange(900, 3_200)), to)
        await asyncio.sleep(max(0.0, every - (time.perf_counter() - started)))


async def crowd(server: Server, people: int, every: float, seconds: float) -> Figures:
    """Let users open the form one after another, and then change fields at the same time."""
    alone_mb = server.resident_mb()
    figures, address = Figures(), f"ws://127.0.0.1:{server.port}/_stcore/stream"
    async with AsyncExitStack() as open_sockets:
        there = []
        for _ in range(people):
            # A busy server answers pings late.
            socket = connect(address, subprotocols=["streamlit"], max_size=None, ping_interval=None)
            there.append(Person(await open_sockets.enter_async_context(socket)))
            await there[-1].open_form(figures)
        before = server.processor_seconds()
        until = time.perf_counter() + seconds
        await asyncio.gather(*(live(there, i, every, until, figures) for i in range(people)))
        figures.processor_s = server.processor_seconds() - before
        figures.added_mb = server.resident_mb() - alone_mb
    return figures


def measure(server: Server, people: int, every: float, seconds: float) -> list[str]:
    """Measure a number of users; return a row of the table."""
    figures = asyncio.run(crowd(server, people, every, seconds))
    times = sorted(figures.change_ms)
    slow = times[int(0.95 * len(times))]
    return [
        str(people),
        str(len(times)),
        f"{statistics.median(times):.0f}",
        f"{slow:.0f}",
        f"{times[-1]:.0f}",
        f"{figures.processor_s / len(times) * 1_000:.0f}",
        f"{statistics.median(figures.first_ms):.0f}",
        f"{statistics.median(figures.received) / 1_000:.0f}",
        f"{figures.added_mb / people:.1f}",
        f"{server.peak_mb():.0f}",
        "yes" if slow < GOAL_MS else "no",
    ]


def main() -> None:
    """Measure each number of users and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=[1, 10, 50, 200])
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two changes")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--left", type=float, default=150.0, help="seconds after all have left")
    chosen = parser.parse_args()
    table = Table(
        "people", "changes", "p50 ms", "p95 ms", "worst ms", "CPU ms a change", "p50 ms to open",
        "kB a change", "MB a person", "peak MB", f"p95 under {GOAL_MS} ms",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as models:
        port = free_port()
        environment = {
            "HOUSEPRICE_MODEL_DIR": os.environ.get("HOUSEPRICE_MODEL_DIR", models),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
            "PORT": str(port),
        }
        command = [sys.executable, "-m", "houseprice", "app"]
        with serving(command, port, "/_stcore/health", environment) as server:
            asyncio.run(crowd(server, 1, 0.2, 2.0))  # the first visit pays for the imports
            alone_mb = server.resident_mb()
            for people in chosen.people:
                table.add_row(*measure(server, people, chosen.every, chosen.seconds))
            with_all_mb = server.resident_mb()
            time.sleep(chosen.left)
            left_mb = server.resident_mb()
    CONSOLE.print(table)
    CONSOLE.print(
        f"Memory: {alone_mb:.0f} MB before all, {with_all_mb:.0f} MB when the last ones leave, "
        f"{left_mb:.0f} MB {chosen.left:g} s later."
    )
    load = os.getloadavg()[0]
    CONSOLE.print(
        f"A change each {chosen.every:g} s; server and people share {os.cpu_count()} cores, "
        f"load {load:.1f} at the end."
    )


if __name__ == "__main__":
    main()
