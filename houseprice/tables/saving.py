"""Saving the rows of a valued table: the columns that identify them, and each row only once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from houseprice.errors import InputError, RecordsError
from houseprice.formatting import list_some
from houseprice.market.fields import fold_name
from houseprice.market.parsing import shorten

if TYPE_CHECKING:
    import pandas as pd

    from houseprice.backend.base import BackendInfo, ValuationResult
    from houseprice.market.contract import Contract
    from houseprice.market.problems import Problem
    from houseprice.records.database import Database
    from houseprice.records.ledger import Author
    from houseprice.records.valuations import OwnTexts
    from houseprice.tables.table import Header, Table

RecordRow = Mapping[str, Any]
"""A row of the table of saved valuations."""

_REFERENCE_NAMES = ("reference", "ref", "case", "id")
_ADDRESS_NAMES = ("address", "streetaddress", "propertyaddress", "street")


@dataclass(frozen=True)
class SaveOptions:
    """What is saved with the rows of a table: two of its columns, and a note for all rows."""

    reference: str | None = None
    address: str | None = None
    note: str = ""

    @classmethod
    def of(
        cls, header: Header, contract: Contract, *, reference: str | None = None, note: str = ""
    ) -> SaveOptions:
        """Find the columns in a header: the one that is given, else those with a usual name.

        Raises InputError if there is no column of the given name.
        """
        usual = cls.usual(header.columns, contract)
        column = usual.reference
        if reference is not None:
            spellings = zip(header.cells, header.columns, strict=True)
            names = {fold_name(each): name for cell, name in spellings for each in (cell, name)}
            column = names.get(fold_name(reference))
            if column is None:
                raise InputError(
                    f"There is no column {shorten(reference)} to take references from, only "
                    f"{list_some(list(header.columns), 10)}."
                )
        return cls(column, usual.address, note)

    @classmethod
    def usual(cls, columns: Iterable[str], contract: Contract) -> SaveOptions:
        """Find the columns that have a usual name and are no field of the market."""
        own = [name for name in columns if name not in contract.names]
        return cls(_named(own, _REFERENCE_NAMES), _named(own, _ADDRESS_NAMES))

    @property
    def columns_used(self) -> str:
        """Where references and addresses come from, as part of a sentence."""
        named = {"references": self.reference, "addresses": self.address}
        parts = [f"{what} from {shorten(name)}" for what, name in named.items() if name]
        return f" with {' and '.join(parts)}" if parts else ""


def _named(columns: Sequence[str], names: Sequence[str]) -> str | None:
    by_name = {fold_name(column): column for column in reversed(columns)}
    return next((by_name[name] for name in names if name in by_name), None)


def record_rows(
    table: Table,
    rows: pd.DataFrame,
    result: ValuationResult,
    info: BackendInfo,
    options: SaveOptions,
    valued_at: datetime,
) -> tuple[RecordRow, ...]:
    """Return what is saved of a table, or a chunk of one, and its valuations.

    Texts that can't be saved are left out: :func:`unsavable` names them.
    """
    from houseprice.records.valuations import to_records

    assert table.contract is not None
    texts = _own_texts(table, options)
    return tuple(to_records(rows, result, info, table.contract, texts=texts, valued_at=valued_at))


def unsavable(table: Table, options: SaveOptions) -> list[Problem]:
    """Return an error for each text to save, of a table or a chunk of one, that can't be saved."""
    from houseprice.records.valuations import text_problems

    assert table.contract is not None
    return text_problems(table.rows, _own_texts(table, options), table.contract)


def _own_texts(table: Table, options: SaveOptions) -> list[OwnTexts]:
    from houseprice.records.valuations import OwnTexts

    references, addresses = (
        [""] * len(table.cells) if column is None else table.cells[column].tolist()
        for column in (options.reference, options.address)
    )
    return [
        OwnTexts(reference, options.note, address)
        for reference, address in zip(references, addresses, strict=True)
    ]


class TableSaver:
    """Saves the rows of a table chunk by chunk, in order; ``n_saved`` counts them."""

    def __init__(self, database: Database, author: Author) -> None:
        self.n_saved = 0
        self._n_seen = 0
        self._database = database
        self._author = author

    def resume(self, valued_at: datetime, n_finished: int) -> None:
        """Continue a run that began at this time, after its finished rows.

        A run may end between the saving of a chunk and its checkpoint: its rows are not saved
        again. Raises RecordsError if the database lacks rows that are finished.
        """
        from houseprice.records.valuations import count

        author = self._author
        n_saved = count(self._database, author.market, person=author.person, valued_at=valued_at)
        if n_saved < n_finished:
            raise RecordsError(
                f"The database has {n_saved:,} of the {n_finished:,} rows that the earlier run "
                "finished: it is another one. Start again with --no-resume."
            )
        self.n_saved, self._n_seen = n_saved, n_finished

    def add(self, records: Sequence[RecordRow]) -> None:
        """Save the next rows, all or none; those that are saved already are skipped."""
        from houseprice.records.ledger import append
        from houseprice.records.schema import valuations

        new = records[max(self.n_saved - self._n_seen, 0) :]
        self._n_seen += len(records)
        if not new:
            return
        try:
            append(self._database, self._author, valuations, new)
        except RecordsError as error:
            saved = f"The {self.n_saved:,} rows before are saved." if self.n_saved else ""
            raise RecordsError(f"{error} {saved}".strip()) from error
        self.n_saved += len(new)
