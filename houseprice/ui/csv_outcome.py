"""What came of the table that this visitor handed in, kept for this visitor alone.

Streamlit forgets an uploaded file when the visitor goes to another page. So the result is kept, not
the file, in the session's own state, which no other session can see. One result at a time: a new
table replaces the old one. The same bytes under the same model are not valued twice.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from houseprice.backend.base import About, Progress
from houseprice.batch.reading import MEGABYTE, read_table
from houseprice.batch.scoring import Scored, value_table
from houseprice.errors import BackendError, HousePriceError, InputError, StoreError
from houseprice.ui.session import backend, market, settings

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

__all__ = [
    "UPLOAD",
    "Outcome",
    "answer",
    "answer_again",
    "answer_upload",
    "forget_removed",
    "outcome",
]

logger = logging.getLogger(__name__)

UPLOAD = "csv"
"""Key of the upload widget."""
_OUTCOME = "csv_outcome"
_HANDLED = "csv_handled"


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
    failure : str or None
        A sentence, if there is no ``scored``.
    about : About or None
        Who valued it.
    data : bytes or None
        The table itself where it can be tried again: the backend failed, not the table.
    """

    name: str
    digest: str = ""
    scored: Scored | None = None
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
    st.session_state[_HANDLED] = upload.file_id
    # The browser holds the limit too, but it is the visitor's.
    if upload.size > settings().max_upload_mb * MEGABYTE:
        failure = (
            f"{upload.name} has {upload.size / MEGABYTE:,.1f} MB; at most "
            f"{settings().max_upload_mb:,} are read."
        )
        st.session_state[_OUTCOME] = Outcome(upload.name, failure=failure)
    else:
        answer(upload.getvalue(), upload.name)


def answer(data: bytes, name: str) -> None:
    """Read and value a table, with progress shown, and keep what came of it."""
    bar = st.progress(0.0, text="Reading the table…")
    try:
        result = _valued(data, name, lambda share, what: _show(bar, share, what))
    except InputError as error:
        result = Outcome(name, failure=str(error))
    except (BackendError, StoreError) as error:
        logger.warning("a table could not be valued: %s", error)
        result = Outcome(
            name, failure=f"The table could not be valued just now. {error}", data=data
        )
    except HousePriceError as error:
        result = Outcome(name, failure=f"The table could not be valued just now. {error}")
    bar.empty()
    st.session_state[_OUTCOME] = result


def answer_again() -> None:
    """Value the table once more that the backend failed on; for a button."""
    kept = outcome()
    if kept is not None and kept.data is not None:
        answer(kept.data, kept.name)


def _valued(data: bytes, name: str, progress: Progress) -> Outcome:
    about = backend().about()
    version = about.model_version
    digest = hashlib.sha256(version.encode() + b"\0" + data).hexdigest() if version else ""
    kept = outcome()
    if kept is not None and version and (kept.digest, kept.name) == (digest, name):
        return kept
    table = read_table(data, name, settings(), market().contract)
    scored = value_table(table, backend(), progress=progress)
    return Outcome(name, digest, scored=scored, about=about)


def forget_removed() -> None:
    """Forget the result when the visitor takes the file out; for the upload's ``on_change``."""
    if st.session_state.get(UPLOAD) is None:
        st.session_state.pop(_OUTCOME, None)


def _show(bar: st.delta_generator.DeltaGenerator, share: float, what: str) -> None:
    bar.progress(min(max(share, 0.0), 1.0), text=what)
