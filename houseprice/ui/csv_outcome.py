"""What came of the table that this visitor handed in, kept for this visitor alone.

Streamlit forgets an uploaded file when the visitor goes to another page. So the result is kept, not
the file, in the session's own state, which no other session can see. One result at a time: a new
table replaces the old one. The same bytes under the same model are not valued twice.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from houseprice.batch.reading import MEGABYTE, read_table
from houseprice.batch.scoring import Scored, value_table
from houseprice.errors import HousePriceError, InputError
from houseprice.ui.session import backend, market, settings

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

__all__ = ["UPLOAD", "Outcome", "answer", "answer_upload", "forget_removed", "outcome"]

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
        SHA-256 of its bytes with the model's version; empty if it was too large to look at.
    scored : Scored or None
    failure : str or None
        A sentence, if there is no ``scored``.
    """

    name: str
    digest: str = ""
    scored: Scored | None = None
    failure: str | None = None


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
    version = backend().about().model_version
    digest = hashlib.sha256(version.encode() + b"\0" + data).hexdigest()
    known = outcome()
    if known is not None and known.digest == digest and known.name == name and known.scored:
        return
    bar = st.progress(0.0, text="Reading the table…")
    try:
        table = read_table(data, name, settings(), market().contract)
        scored = value_table(table, backend(), progress=lambda share, what: _show(bar, share, what))
        result = Outcome(name, digest, scored=scored)
    except InputError as error:
        result = Outcome(name, digest, failure=str(error))
    except HousePriceError as error:
        result = Outcome(name, failure=f"The table could not be valued just now. {error}")
    bar.empty()
    st.session_state[_OUTCOME] = result


def forget_removed() -> None:
    """Forget the result when the visitor takes the file out; for the upload's ``on_change``."""
    if st.session_state.get(UPLOAD) is None:
        st.session_state.pop(_OUTCOME, None)


def _show(bar: st.delta_generator.DeltaGenerator, share: float, what: str) -> None:
    bar.progress(min(max(share, 0.0), 1.0), text=what)
