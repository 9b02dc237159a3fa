"""What came of the table that this visitor handed in, kept for this visitor alone.

Streamlit forgets an uploaded file when the visitor goes to another page. So the result is kept, not
the file, in the session's own state, which no other session can see. One result at a time: a new
table replaces the old one. The same bytes under the same model are not valued twice.

A table valued step by step, so that a visitor sees how far it is, and nobody waits for ever.

What is found out about a valued table: once, when it is first looked at.

The market's own table of houses without a price, to try a valuation on.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

import pandas as pd
import streamlit as st

from houseprice.backend.base import DEFAULT_INTERVAL, Backend, BackendInfo, Progress
from houseprice.errors import (
    BackendError,
    BackendUnavailable,
    HousePriceError,
    InputError,
    StoreError,
)
from houseprice.files import MEGABYTE
from houseprice.formatting import duration
from houseprice.market.problems import Problem, concat_problems, slice_problems
from houseprice.market.sales import read_rows
from houseprice.progress import ProgressEstimate
from houseprice.tables.columns import output_columns
from houseprice.tables.reader import MAX_UPLOAD_SECONDS, read_table
from houseprice.tables.scoring import ScoredTable, summarise, value_rows
from houseprice.tables.table import Table
from houseprice.ui.session import backend, market, settings

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

__all__ = [
    "FEW",
    "UPLOAD",
    "Sample",
    "UploadResult",
    "answer",
    "answer_again",
    "answer_mended",
    "answer_upload",
    "forget_removed",
    "kept",
    "sample",
    "upload_result",
    "value_in_steps",
]

Valued = tuple[pd.DataFrame, tuple[Problem, ...]]

FIRST, MOST = 500, 5_000
"""Rows of the first step, and of the longest."""
FEW = 10_000
"""Houses up to which comparables and reasons, most of the work, are worked out."""
SHORT = 0.3
"""Seconds; a quicker step makes the next one twice as long."""
STARTS = 3
"""How often work begins anew because the server changed its model under way."""


def value_in_steps(
    table: Table,
    backend: Backend,
    progress: Progress,
    longest: float,
    clock: Callable[[], float] = monotonic,
    begun: float | None = None,
) -> ScoredTable:
    """Value each row of a table, some rows at a time; the rows come out as all at once.

    Comparables and reasons are worked out for tables of at most :data:`FEW` houses.

    Parameters
    ----------
    table : Table
    backend : Backend
    progress : callable
        Told after each step the share done, and rows, rows a second and time left in words.
    longest : float
        Seconds after which no further step is begun.
    clock : callable, optional
        Gives the time in seconds.
    begun : float, optional
        When the work on the table began, by the clock; by default, now.

    Raises
    ------
    InputError
        If it takes longer than that.
    BackendError
        If the backend can't answer.
    """
    own = output_columns(table.cells.columns, table.headers)
    evidence = "evidence" in backend.info().capabilities and len(table.cells) <= FEW
    end = (clock() if begun is None else begun) + longest

    def value(piece: Table) -> Valued:
        if piece.start and clock() > end:
            raise InputError(_too_long(table, piece.start, longest))
        return value_rows(piece, own, backend, interval=DEFAULT_INTERVAL, evidence=evidence)

    for _ in range(STARTS):
        valuations, problems = _valued(table, value, progress, clock)
        if len({*valuations["model_version"]} - {""}) <= 1:
            given = table.cells.iloc[:, own.positions].set_axis(own.names, axis="columns")
            notes = (*table.notes, *own.notes)
            summary = summarise(valuations, problems)
            return ScoredTable(given, valuations, own.headers, problems, notes, summary)
    message = "The server changed its model while it valued these houses. Try again."
    raise BackendUnavailable(message, reason="changing")


def _valued(
    table: Table,
    value: Callable[[Table], Valued],
    progress: Progress,
    clock: Callable[[], float],
) -> Valued:
    pace = ProgressEstimate(len(table.cells), clock)
    pieces: list[pd.DataFrame] = []
    problems: list[tuple[int, tuple[Problem, ...]]] = []
    done, most = 0, FIRST
    while done < len(table.cells):
        started = clock()
        valuations, found = value(_piece(table, done, done + most))
        problems.append((len(valuations), found))
        pieces.append(valuations)
        done += len(valuations)
        progress(*pace.update(done))
        if clock() - started < SHORT:
            most = min(2 * most, MOST)
    return pd.concat(pieces, ignore_index=True), tuple(concat_problems(problems))


def _piece(table: Table, start: int, end: int) -> Table:
    return replace(
        table,
        cells=table.cells.iloc[start:end].reset_index(drop=True),
        rows=table.rows.iloc[start:end].reset_index(drop=True),
        problems=tuple(slice_problems(table.problems, start, end)),
        start=start,
        lines=(),
    )


def _too_long(table: Table, done: int, longest: float) -> str:
    return (
        f"{table.name} takes longer to read and value than the {duration(longest)} that this page "
        f"allows: {done:,} of its {len(table.cells):,} houses were done by then. Split it into "
        "parts."
    )


logger = logging.getLogger(__name__)

UPLOAD = "csv"
"""Key of the upload widget."""
_OUTCOME = "csv_outcome"
_HANDLED = "csv_handled"
_NOT_NOW = "The table could not be valued just now."


@dataclass(frozen=True)
class UploadResult:
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
    scored: ScoredTable | None = None
    table: Table | None = None
    mended: int = 0
    failure: str | None = None
    info: BackendInfo | None = None
    data: bytes | None = None


def upload_result() -> UploadResult | None:
    """What came of the last table of this session."""
    kept: UploadResult | None = st.session_state.get(_OUTCOME)
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
        st.session_state[_OUTCOME] = UploadResult(upload.name, failure=failure)
    else:
        answer(upload.getvalue(), upload.name)
    # Last: a click in the middle begins the run anew, and with it the work.
    st.session_state[_HANDLED] = upload.file_id


def answer(data: bytes, name: str) -> None:
    """Read and value a file, with progress shown, and keep what came of it."""
    try:
        with _told("Reading the table…") as progress:
            st.session_state[_OUTCOME] = _outcome_valued(data, name, progress)
    except (BackendError, StoreError) as error:
        logger.warning("a table could not be valued: %s", error)
        st.session_state[_OUTCOME] = UploadResult(name, failure=f"{_NOT_NOW} {error}", data=data)
    except HousePriceError as error:
        failure = str(error) if isinstance(error, InputError) else f"{_NOT_NOW} {error}"
        st.session_state[_OUTCOME] = UploadResult(name, failure=failure)


def answer_again() -> None:
    """Value the file once more that the backend failed on; for a button."""
    kept = upload_result()
    if kept is not None and kept.data is not None:
        answer(kept.data, kept.name)


def answer_mended(table: Table, mended: int) -> str | None:
    """Value a table that the visitor has mended, in place of the one before.

    Returns
    -------
    str or None
        Why it could not be valued, in words; what there was before is still there then.
    """
    kept = upload_result()
    if kept is None or kept.scored is None:
        return None
    try:
        with _told("Valuing the mended table…") as progress:
            info = backend().info()
            scored = value_in_steps(table, backend(), progress, MAX_UPLOAD_SECONDS)
    except HousePriceError as error:
        logger.warning("a mended table could not be valued: %s", error)
        return str(error) if isinstance(error, InputError) else f"{_NOT_NOW} {error}"
    mended += kept.mended
    st.session_state[_OUTCOME] = UploadResult(
        kept.name, scored=scored, table=table, mended=mended, info=info
    )
    return None


def _outcome_valued(data: bytes, name: str, progress: Progress) -> UploadResult:
    info = backend().info()
    version = info.model_version
    digest = hashlib.sha256(version.encode() + b"\0" + data).hexdigest() if version else ""
    kept = upload_result()
    if kept is not None and version and (kept.digest, kept.name) == (digest, name):
        return kept
    begun = monotonic()
    table = read_table(data, name, settings(), market().contract)
    scored = value_in_steps(table, backend(), progress, MAX_UPLOAD_SECONDS, monotonic, begun=begun)
    return UploadResult(name, digest, scored=scored, table=table, info=info)


def forget_removed() -> None:
    """Forget the result when the visitor takes the file out; for the upload's ``on_change``."""
    if st.session_state.get(UPLOAD) is None:
        st.session_state.pop(_OUTCOME, None)


@contextmanager
def _told(first: str) -> Iterator[Progress]:
    """Show how far the work is, and the longest that it may take."""
    bar = st.progress(0.0, text=first)
    limit = f"At most {duration(MAX_UPLOAD_SECONDS)} are spent on one table."

    def tell(share: float, what: str) -> None:
        bar.progress(min(max(share, 0.0), 1.0), text=f"{what}…  \n:small[{limit}]")

    try:
        yield tell
    finally:
        bar.empty()


_KEPT = "csv_kept"
T = TypeVar("T")


def kept(what: str, find: Callable[[], T]) -> T:
    """Give what was found out about the present result, and find it out the first time.

    It is kept in the session, as the result is, and goes with it.
    """
    of, found = st.session_state.get(_KEPT, (None, {}))
    present = upload_result()
    if of is not present:
        found = {}
        st.session_state[_KEPT] = (present, found)
    if what not in found:
        found[what] = find()
    known: T = found[what]
    return known


@dataclass(frozen=True)
class Sample:
    """The bytes of the sample file, and how many houses it holds (none: there is no sample)."""

    data: bytes
    n_houses: int


@st.cache_resource(show_spinner=False)
def sample() -> Sample:
    """Read the sample once a process: it is the same for every visitor."""
    path = market().sample_path
    try:
        return Sample(path.read_bytes(), len(read_rows(path)))
    except OSError:
        return Sample(b"", 0)
