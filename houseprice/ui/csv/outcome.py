"""What came of the table that this visitor handed in, kept for this visitor alone.

Streamlit forgets an uploaded file when the visitor goes to another page. So the result is kept, not
the file, in the session's own state, which no other session can see. One result at a time: a new
table replaces the old one. The same bytes under the same model are not valued twice.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import streamlit as st

from houseprice.backend.base import About, Progress
from houseprice.batch.pace import duration
from houseprice.batch.reading.opened import read_table
from houseprice.batch.text.sources import MEGABYTE
from houseprice.batch.text.tables import Table
from houseprice.batch.valuing.scoring import Scored
from houseprice.errors import BackendError, HousePriceError, InputError, StoreError
from houseprice.ui.csv.valuing import value_in_steps
from houseprice.ui.session import backend, market, settings

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

__all__ = [
    "UPLOAD",
    "Outcome",
    "answer",
    "answer_again",
    "answer_mended",
    "answer_upload",
    "forget_removed",
    "outcome",
]

logger = logging.getLogger(__name__)

UPLOAD = "csv"
"""Key of the upload widget."""
_OUTCOME = "csv_outcome"
_HANDLED = "csv_handled"
_NOT_NOW = "The table could not be valued just now."


@dataclass(frozen=True)
class Outcome:
    """A valued table, or the reason why it could not be valued.

    Attributes
    ----------
    name : str
        What the file is called.
    digest : str
        SHA-256 of its bytes with the model's version; empty if it has no value, or nobody says
        which model it was.
    scored : Scored or None
    table : Table or None
        What was valued, for mending.
    mended : int
        Cells that the visitor has changed since the upload.
    failure : str or None
        A sentence, if there is no ``scored``.
    about : About or None
        Who valued it.
    data : bytes or None
        The file itself where it can be tried again: the backend failed, not the table.
    """

    name: str
    digest: str = ""
    scored: Scored | None = None
    table: Table | None = None
    mended: int = 0
    failure: str | None = None
    about: About | None = None
    data: bytes | None = None


def outcome() -> Outcome | None:
    """What came of the last table of this session."""
    kept: Outcome | None = st.session_state.get(_OUTCOME)
    return kept


def answer_upload(upload: UploadedFile | None) -> None:
    """Value an uploaded file, once: not again when the page runs anew with the file still there."""
    if upload is None or st.session_state.get(_HANDLED) == upload.file_id:
        return
    # The browser holds the limit too, but it is the visitor's.
    if upload.size > settings().max_upload_mb * MEGABYTE:
        failure = (
            f"{upload.name} has {upload.size / MEGABYTE:,.1f} MB; at most "
            f"{settings().max_upload_mb:,} are read."
        )
        st.session_state[_OUTCOME] = Outcome(upload.name, failure=failure)
    else:
        answer(upload.getvalue(), upload.name)
    # Last: a click in the middle begins the run anew, and with it the work.
    st.session_state[_HANDLED] = upload.file_id


def answer(data: bytes, name: str) -> None:
    """Read and value a file, with progress shown, and keep what came of it."""
    try:
        with _told("Reading the table…") as progress:
            st.session_state[_OUTCOME] = _valued(data, name, progress)
    except (BackendError, StoreError) as error:
        logger.warning("a table could not be valued: %s", error)
        st.session_state[_OUTCOME] = Outcome(name, failure=f"{_NOT_NOW} {error}", data=data)
    except HousePriceError as error:
        failure = str(error) if isinstance(error, InputError) else f"{_NOT_NOW} {error}"
        st.session_state[_OUTCOME] = Outcome(name, failure=failure)


def answer_again() -> None:
    """Value the file once more that the backend failed on; for a button."""
    kept = outcome()
    if kept is not None and kept.data is not None:
        answer(kept.data, kept.name)


def answer_mended(table: Table, mended: int) -> str | None:
    """Value a table that the visitor has mended, in place of the one before.

    Returns
    -------
    str or None
        Why it could not be valued, in words; what there was before is still there then.
    """
    kept = outcome()
    if kept is None or kept.scored is None:
        return None
    try:
        with _told("Valuing the mended table…") as progress:
            about = backend().about()
            scored = value_in_steps(table, backend(), progress, settings().max_upload_s)
    except HousePriceError as error:
        logger.warning("a mended table could not be valued: %s", error)
        return str(error) if isinstance(error, InputError) else f"{_NOT_NOW} {error}"
    mended += kept.mended
    st.session_state[_OUTCOME] = Outcome(
        kept.name, scored=scored, table=table, mended=mended, about=about
    )
    return None


def _valued(data: bytes, name: str, progress: Progress) -> Outcome:
    about = backend().about()
    version = about.model_version
    digest = hashlib.sha256(version.encode() + b"\0" + data).hexdigest() if version else ""
    kept = outcome()
    if kept is not None and version and (kept.digest, kept.name) == (digest, name):
        return kept
    begun = monotonic()
    table = read_table(data, name, settings(), market().contract)
    scored = value_in_steps(
        table, backend(), progress, settings().max_upload_s, monotonic, begun=begun
    )
    return Outcome(name, digest, scored=scored, table=table, about=about)


def forget_removed() -> None:
    """Forget the result when the visitor takes the file out; for the upload's ``on_change``."""
    if st.session_state.get(UPLOAD) is None:
        st.session_state.pop(_OUTCOME, None)


@contextmanager
def _told(first: str) -> Iterator[Progress]:
    """Show how far the work is, and the longest that it may take."""
    bar = st.progress(0.0, text=first)
    limit = f"At most {duration(settings().max_upload_s)} are spent on one table."

    def tell(share: float, what: str) -> None:
        bar.progress(min(max(share, 0.0), 1.0), text=f"{what}…  \n:small[{limit}]")

    try:
        yield tell
    finally:
        bar.empty()
