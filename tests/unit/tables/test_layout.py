"""Any chunk of a file can be read alone, with the same result."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from houseprice.errors import InputError
from houseprice.settings import Settings
from houseprice.tables.layout import Span
from houseprice.tables.reader import CsvFile, open_csv
from houseprice.tables.table import Table

HEADER = "size,grade,quarter,built,address"
LINES = [
    "90,A,S,1980,here",
    '90,A,S,1980,"a ""b"""',
    '90,A,S,1980,"over\nlines"',
    '90,A,S,1980,"over\r\n""many""\n\nlines"',
    '90,A,S,1980,6" pipe',
    '"6" x,A,S,1980,z',
    '"6,A,S,1980,z',
    "90,A",
    "",
    "90,A,S,1980,Käse €",
]
CLOSING = '"90",A,S,1980,here'  # closes a quotation mark that was left open


def equal(one: Table, other: Table) -> bool:
    return (
        one.lines == other.lines
        and one.start == other.start
        and one.problems == other.problems
        and one.cells.equals(other.cells)
    )


def split(opened: CsvFile, rows: int, chars: int) -> list[Span]:
    """Split a file into spans, and assert that they read as its chunks."""
    spans = list(opened.spans(rows, chars))
    chunks = list(opened.chunks(rows, chars))
    assert len(spans) == len(chunks)
    assert all(
        equal(opened.read_chunk(span), chunk) for span, chunk in zip(spans, chunks, strict=True)
    )
    return spans


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(LINES), max_size=9),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.integers(1, 4),
    st.sampled_from([1, 40, 10_000]),
)
def test_each_span_reads_as_its_chunk(contract, lines, ending, rows, chars):
    data = ending.join([HEADER, *lines, CLOSING]).encode()
    with open_csv(data, "homes.csv", Settings(), contract) as opened:
        spans = split(opened, rows, chars)
    assert [span.number for span in spans] == list(range(len(spans)))
    assert [span.row for span in spans][1:] == [span.row + span.rows for span in spans][:-1]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_spans_are_located_in_any_encoding(contract, encoding):
    text = "\n".join(["", HEADER, *(line for line in LINES if line), CLOSING, ",,", ""])
    with open_csv(text.encode(encoding), "homes.csv", Settings(), contract) as opened:
        assert len(split(opened, 2, 10_000)) == 5


def test_broken_quotes_are_detected_from_later_chunks(contract):
    lines = [HEADER, '"6,A,S,1980,z', "90,A,S,1980,here", "80,A,S,1980,there", CLOSING]
    with open_csv("\n".join(lines).encode(), "homes.csv", Settings(), contract) as opened:
        first = next(opened.spans(1))
        assert opened.read_chunk(first).problems[0].code == "broken_quotes"


def test_an_error_in_a_chunk_names_the_line_of_the_file(contract):
    data = "\n".join([HEADER, *["90,A,S,1980,here"] * 3, f"90,A,S,1980,{'x' * 32_768}"]).encode()
    with open_csv(data, "homes.csv", Settings(), contract) as opened:
        *_, last = opened.spans(2)
        with pytest.raises(InputError, match=r"Line 5 of homes\.csv has a cell of 32,768"):
            opened.read_chunk(last)
