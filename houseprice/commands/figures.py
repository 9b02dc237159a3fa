"""Metrics as a table of plain text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from houseprice.model.measuring.words import in_words, written

__all__ = ["table"]


def table(headers: Sequence[str], metrics: Iterable[Mapping[str, float]], symbol: str) -> str:
    """Lay metrics out side by side, one a line, in the order of the first.

    Parameters
    ----------
    headers : sequence of str
        Of the columns of figures.
    metrics : iterable of mapping
        One a column; a metric that a column lacks stays blank there.
    symbol : str
        Of the currency.
    """
    columns = list(metrics)
    rows = [["", *headers]] + [
        [in_words(name), *(written(name, column.get(name), symbol) for column in columns)]
        for name in columns[0]
    ]
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in rows
    )
