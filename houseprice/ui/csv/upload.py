"""Reading and valuing an uploaded table, with the result kept in the session.

Streamlit drops an uploaded file when the visitor opens another page, so the session keeps the
result and not the file. There is one result at a time: a new table replaces the previous one, and
the same bytes under the same model are not valued again. No other session can see it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd
import streamlit as st

from houseprice.backend.base import LIST_COLUMNS, Backend, BackendInfo
from houseprice.errors import BackendError, HousePriceError, InputError, StoreError, UnknownColumns
from houseprice.files import MEGABYTE
from houseprice.formatting import duration
from houseprice.market.fields import Field
from houseprice.market.parsing import describe_range
from houseprice.market.sales import read_rows
from houseprice.progress import Progress, ProgressEstimate
from houseprice.tables.mapping import NO_MAPPING, ColumnMapping
from houseprice.tables.reader import MAX_UPLOAD_SECONDS, read_table
from houseprice.tables.scoring import ScoredTable, ScoringOptions, value_rows
from houseprice.tables.table import Table, table_output, template
from houseprice.tables.writer import to_csv
from houseprice.ui.house.state import date_limits, is_choice
from houseprice.ui.session import backend, by_market, market, settings, typical

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

logger = logging.getLogger(__name__)

UPLOAD_KEY = "csv"
EVIDENCE_ROWS = 10_000
"""Comparables and drivers, most of the work, are computed for downloads of at most this size."""

_SAMPLE_SALES = 50
_RESULT_KEY = "csv_result"
_FILE_KEY = "csv_file_id"
_SOURCE_KEY, _MAPPING_KEY, _REMAP_KEY = "csv_source", "csv_mapping", "csv_remap"
_AS_OF_KEY = "csv_as_of"
_UNAVAILABLE = "The table cannot be valued right now."

T = TypeVar("T")


@dataclass(frozen=True)
class ValuedUpload:
    """A valued table, whose rows without a date of sale have the valuation date ``as_of``.

    ``digest`` is empty where the backend does not report a model version. ``token`` differs for
    each result, in the keys of widgets whose state is about its rows.
    """

    name: str
    table: Table
    scored: ScoredTable
    info: BackendInfo
    digest: str = ""
    n_corrected: int = 0
    as_of: date | None = None
    token: str = dataclasses.field(default_factory=lambda: secrets.token_hex(4))
    cache: dict[str, Any] = dataclasses.field(default_factory=dict)

    def cached(self, name: str, compute: Callable[[], T]) -> T:
        """Return a value derived from this result; it is computed on first use."""
        if name not in self.cache:
            self.cache[name] = compute()
        value: T = self.cache[name]
        return value


@dataclass(frozen=True)
class FailedUpload:
    """The reason why a table has no values.

    ``data`` is its file where a retry can succeed, and ``cells`` has its columns where none is
    known and all have to be mapped by hand.
    """

    name: str
    message: str
    data: bytes | None = None
    cells: pd.DataFrame | None = None


def upload_result() -> ValuedUpload | FailedUpload | None:
    """Return the result of the last table of this session."""
    result: ValuedUpload | FailedUpload | None = st.session_state.get(_RESULT_KEY)
    return result


def process_upload(upload: UploadedFile | None) -> None:
    """Value an uploaded file once, however often the page runs while the file is there."""
    if upload is None or st.session_state.get(_FILE_KEY) == upload.file_id:
        return
    # The browser enforces this limit too, but a visitor controls the browser.
    if upload.size > settings().max_upload_mb * MEGABYTE:
        message = (
            f"{upload.name} has {upload.size / MEGABYTE:,.1f} MB; the limit is "
            f"{settings().max_upload_mb:,} MB."
        )
        st.session_state[_RESULT_KEY] = FailedUpload(upload.name, message)
    else:
        value_bytes(upload.getvalue(), upload.name)
    # Set last: a click during the work restarts the run, and the file must be processed again.
    st.session_state[_FILE_KEY] = upload.file_id


def discard_removed() -> None:
    """Discard the result when the visitor removes the file (``on_change`` of the upload)."""
    if st.session_state.get(UPLOAD_KEY) is None:
        st.session_state.pop(_RESULT_KEY, None)
        st.session_state.pop(_SOURCE_KEY, None)


def value_bytes(data: bytes, name: str) -> None:
    """Read and value a file, show the progress, and store the result in the session."""
    result: ValuedUpload | FailedUpload
    try:
        with _progress_bar("Reading the table…") as progress:
            result = _value_file(data, name, progress)
    except HousePriceError as error:
        retryable = isinstance(error, (BackendError, StoreError))
        unknown = isinstance(error, UnknownColumns)
        cells = read_table(data, name, settings()).cells if unknown else None
        result = FailedUpload(name, _message(error), data if retryable else None, cells)
    # To value the table again with a mapping by hand.
    st.session_state[_SOURCE_KEY] = (data, name)
    st.session_state[_RESULT_KEY] = result


def session_mapping() -> ColumnMapping:
    """Return the mapping of columns that the visitor made in this session."""
    mapping: ColumnMapping = st.session_state.get(_MAPPING_KEY, NO_MAPPING)
    return mapping


def remember_mapping(mapping: ColumnMapping) -> None:
    """Keep a mapping for the session, and value the last file with it in the next run."""
    st.session_state[_MAPPING_KEY] = mapping
    _request_valuation()


def value_mapped() -> bool:
    """Value the last file again if its columns or its date were changed; return whether so."""
    if not st.session_state.pop(_REMAP_KEY, False) or _SOURCE_KEY not in st.session_state:
        return False
    value_bytes(*st.session_state[_SOURCE_KEY])
    return True


def choose_as_of() -> None:
    """Draw the valuation date of rows without a date of sale; nothing without dates."""
    default = market().contract.market.as_of
    if default is None or market().sold is None:
        return
    first, last = date_limits(market())
    st.date_input(
        "Valuation date",
        default,
        first,
        last,
        key=_AS_OF_KEY,
        persist_state="session",
        on_change=_request_valuation,
        help="Of houses without a date of sale of their own. By default the end of the sales; "
        "beyond it, ranges are wider.",
    )


def _request_valuation() -> None:
    st.session_state[_REMAP_KEY] = True


def retry_upload() -> None:
    """Value the file again after the backend failed."""
    result = upload_result()
    if isinstance(result, FailedUpload) and result.data is not None:
        value_bytes(result.data, result.name)


def revalue(result: ValuedUpload, table: Table, n_corrected: int) -> str | None:
    """Replace a result by that of its corrected table; return a message where this fails."""
    try:
        with _progress_bar("Valuing the corrected table…") as progress:
            info = backend().info()
            deadline = monotonic() + MAX_UPLOAD_SECONDS
            scored = value_table(table, backend(), progress, deadline, as_of=result.as_of)
    except HousePriceError as error:
        return _message(error)
    total = result.n_corrected + n_corrected
    st.session_state[_RESULT_KEY] = ValuedUpload(
        result.name, table, scored, info, n_corrected=total, as_of=result.as_of
    )
    return None


def _message(error: HousePriceError) -> str:
    if isinstance(error, InputError):
        return str(error)
    logger.warning("a table could not be valued: %s", error)
    return f"{_UNAVAILABLE} {error}"


def _value_file(data: bytes, name: str, progress: Progress) -> ValuedUpload:
    info = backend().info()
    version = info.model_version
    mapping, as_of = session_mapping(), st.session_state.get(_AS_OF_KEY)
    if as_of == market().contract.market.as_of:  # rows have it anyway
        as_of = None
    key = f"{version}\0{mapping.to_toml()}\0{as_of}\0".encode()
    digest = hashlib.sha256(key + data).hexdigest() if version else ""
    previous = upload_result()
    if (
        digest
        and isinstance(previous, ValuedUpload)
        and (previous.digest, previous.name) == (digest, name)
    ):
        return previous
    deadline = monotonic() + MAX_UPLOAD_SECONDS
    table = read_table(data, name, settings(), market().contract, mapping)
    scored = value_table(table, backend(), progress, deadline, as_of=as_of)
    return ValuedUpload(name, table, scored, info, digest, as_of=as_of)


def value_table(
    table: Table,
    backend: Backend,
    progress: Progress,
    deadline: float,
    clock: Callable[[], float] = monotonic,
    as_of: date | None = None,
) -> ScoredTable:
    """Value a table; ``progress`` is called after each chunk of the backend.

    Raises InputError if ``deadline`` is over before the last chunk, and BackendError if the backend
    fails.
    """
    n_houses = len(table.cells)
    estimate = ProgressEstimate(n_houses, clock)

    def report(share: float, _: str) -> None:
        n_valued = round(share * n_houses)
        if n_valued < n_houses and clock() > deadline:
            raise InputError(
                f"{table.name} takes longer to read and value than the limit of "
                f"{duration(MAX_UPLOAD_SECONDS)}: {n_valued:,} of {n_houses:,} houses were valued "
                "by then. Split it into several files."
            )
        progress(*estimate.update(n_valued))

    output = table_output(table)
    valued = value_rows(table, output, backend, ScoringOptions(as_of=as_of), report)
    return ScoredTable.of(table, output, valued)


def with_evidence(result: ValuedUpload) -> ScoredTable:
    """Return a valued table with its drivers and comparables; without, if the backend fails."""
    try:
        return result.cached("evidence", lambda: add_evidence(result, backend()))
    except HousePriceError as error:
        logger.warning("a table has no drivers and no comparables: %s", error)
        return result.scored


def add_evidence(result: ValuedUpload, backend: Backend) -> ScoredTable:
    """Add the drivers and comparables, which only downloads have.

    They stay blank where the backend has another model by now, and in a long table.
    """
    table, valuations = result.table, result.scored.valuations
    if "evidence" not in result.info.capabilities or len(table.cells) > EVIDENCE_ROWS:
        return result.scored
    options = ScoringOptions(evidence=True, as_of=result.as_of)
    again = value_rows(table, table_output(table), backend, options).valuations
    if not again["model_version"].equals(valuations["model_version"]):
        return result.scored
    evidence = {column: again[column] for column in LIST_COLUMNS}
    return replace(result.scored, valuations=valuations.assign(**evidence))


@contextmanager
def _progress_bar(text: str) -> Iterator[Progress]:
    bar = st.progress(0.0, text=text)
    limit = f"The limit is {duration(MAX_UPLOAD_SECONDS)} for one table."

    def update(share: float, text: str) -> None:
        bar.progress(min(max(share, 0.0), 1.0), text=f"{text}…  \n:small[{limit}]")

    try:
        yield update
    finally:
        bar.empty()


@by_market
def sample() -> tuple[bytes, int]:
    """Return houses to value and their number: the market's sample, or else some of its sales."""
    path, contract = market().sample_path, market().contract
    try:
        return path.read_bytes(), len(read_rows(path))
    except OSError:
        houses = market().houses.iloc[:: max(len(market().houses) // _SAMPLE_SALES, 1)]
        return to_csv(contract.with_codes(houses), escape_formulas=False), len(houses)


@by_market
def example() -> pd.DataFrame:
    """Return the template of the market's columns with the typical house; read-only."""
    return template(market().contract, typical())


@by_market
def column_guide() -> pd.DataFrame:
    """Return a table of what each column means and which values it accepts; read-only."""
    return pd.DataFrame(
        [
            {
                "Column": column,
                "Meaning": field.label,
                "Required": "yes" if field.required else "",
                "Accepted values": _accepted_values(field),
                "Help": field.help,
            }
            for column, field in market().contract.fields.items()
        ]
    )


def _accepted_values(field: Field) -> str:
    if not is_choice(field):
        return describe_range(field)
    return "; ".join(
        level.code if level.code == level.label else f"{level.code} = {level.label}"
        for level in field.levels
    )
