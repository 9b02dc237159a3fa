"""Value a whole table in one step."""

from __future__ import annotations

from houseprice.backend.base import DEFAULT_INTERVAL, Backend
from houseprice.progress import Progress
from houseprice.tables.scoring import ScoredTable, ScoringOptions, value_rows
from houseprice.tables.table import Table, table_output

__all__ = ["value_table"]


def value_table(
    table: Table,
    backend: Backend,
    interval: float = DEFAULT_INTERVAL,
    progress: Progress | None = None,
) -> ScoredTable:
    columns = table_output(table)
    options = ScoringOptions(interval, "evidence" in backend.info().capabilities)
    return ScoredTable.of(table, columns, value_rows(table, columns, backend, options, progress))
