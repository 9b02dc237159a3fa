"""Hypothesis strategies for invalid tables of houses and damaged files."""

import csv
import io
from dataclasses import dataclass

from hypothesis import strategies as st

from houseprice.market.contract import Contract
from houseprice.market.fields import Field

__all__ = ["BrokenTable", "broken_tables", "damaged"]

ENCODINGS = {
    "utf-8": b"",
    "utf-8-sig": b"",
    "utf-16": b"",
    "utf-16-le": b"\xff\xfe",
    "utf-16-be": b"\xfe\xff",
    "cp1252": b"",
}
# Characters of Windows-1252 only, with an "é" that is invalid UTF-8 on its own.
_INVALID = (
    "", " ", "NA", "n/a", "-5", "1e999", "inf", "nan", "abc", "1,5", "1.234", "1 250", "12..3",
    "'=1+1", "=1+1", "@x", "+1", "0", "-0", "999999999999", "2019-07-01", "#N/A", "TRUE",
    "é", "x" * 300, "a\nb", "a\r\nb", 'say "no"', "a,b", "a;b", "a\tb", "a|b",
)  # fmt: skip


@dataclass(frozen=True)
class BrokenTable:
    """A file and its rows.

    Attributes
    ----------
    data : bytes
    rows : list of list of str
        The cells of each row; None for a row with too few or too many.
    """

    data: bytes
    rows: list[list[str] | None]


def _valid(field: Field) -> st.SearchStrategy[str]:
    if field.levels:
        return st.sampled_from([level.code for level in field.levels])
    assert field.range is not None
    low, high = field.range
    return st.integers(int(low), int(high)).map(str)


def _spelled(name: str) -> st.SearchStrategy[str]:
    return st.sampled_from([name, name.upper(), f" {name} ", name.replace(" ", "_")])


@st.composite
def broken_tables(draw: st.DrawFn, contract: Contract) -> BrokenTable:
    """Draw a file with a known header, in which any row and any cell may be invalid."""
    fields = draw(
        st.lists(
            st.sampled_from(list(contract.fields.values())),
            min_size=2,
            unique_by=lambda f: f.column,
        )
    )
    header = [draw(_spelled(field.column)) for field in fields]
    extra = draw(
        st.lists(st.sampled_from(["remark", "status", "=x", "é"]), max_size=2, unique=True)
    )
    header += extra
    cells = [
        st.one_of(_valid(field), _valid(field), st.sampled_from(_INVALID)) for field in fields
    ] + [st.sampled_from(_INVALID)] * len(extra)
    rows = draw(st.lists(st.tuples(*cells).map(list), min_size=1, max_size=5))
    # Empty rows at the end of a file are skipped, so the last row is a house.
    rows.append(["x", *[""] * (len(header) - 1)])
    separator = draw(st.sampled_from(",;\t|"))
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    expected: list[list[str] | None] = []
    lines = [_line(header, separator)]
    for row in rows:
        short = draw(st.sampled_from([0, 0, 0, 0, 1, -1])) if len(expected) < len(rows) - 1 else 0
        if short == 1:
            line = _line([*row, "more"], separator)
        elif short == -1:
            line = f"{row[0]}x".replace('"', "").split("\n")[0].split(separator)[0].strip() or "x"
        else:
            line = _line(row, separator)
        expected.append(row if not short else None)
        lines.append(line)
    encoding = draw(st.sampled_from(list(ENCODINGS)))
    text = "".join(line + newline for line in lines) + draw(st.sampled_from(["", newline * 3]))
    return BrokenTable(ENCODINGS[encoding] + text.encode(encoding), expected)


def _line(cells: list[str], separator: str) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator="\r\n").writerow(cells)
    return text.getvalue().removesuffix("\r\n")


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Draw a file with bytes changed, removed, inserted, doubled or cut off."""
    broken = bytearray(data)
    for _ in range(draw(st.integers(1, 6))):
        if not broken:
            break
        start = draw(st.integers(0, len(broken) - 1))
        length = draw(st.integers(0, 12))
        part = draw(
            st.binary(max_size=4)
            | st.sampled_from([b'"', b"\r", b"\n", b",", b";", b"\0", b"\xff\xff\xff\xff", b"<c>"])
            | st.just(bytes(broken[start : start + length]) * 2)
        )
        broken[start : start + length] = part
    cut = draw(st.sampled_from([None, None, None, 7, 30]))
    return bytes(broken[:cut] if cut is None else broken[:-cut])
