"""Each row is returned byte for byte as in the file, followed by its valuation."""

import csv
import gzip
import io
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from houseprice.backend.base import VALUATION_COLUMNS, Backend
from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.settings import Settings
from houseprice.tables.reader import open_csv, read_table
from houseprice.tables.scoring import ScoringOptions
from houseprice.tables.streaming import StreamResult, value_chunks, value_stream
from houseprice.tables.writer import to_csv
from tests.tables import value_table

HEADER = "size,grade,quarter,built,address"
GOOD = "90,A,S,1980,here"
CLOSING = '"90",A,S,1980,here'  # closes a quotation mark that was left open
CELLS = st.sampled_from(
    [
        "90",
        "-5",
        "1,250",
        "A",
        "S",
        "Z",
        "1980",
        "",
        " ",
        "é",
        "=1+1",
        'a "b"',
        "x\r\ny",
        "0120",
        "\n",
    ]
)
BROKEN = st.sampled_from(
    ["", ",", "90,A", '"6" x,A,S,1980,z', '"6,A,S,1980,z', f"{GOOD},more", f"{GOOD},,"]
)
OPTIONS = ScoringOptions()
few_examples = settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def stream(
    data: str | bytes,
    backend: Backend,
    contract: Contract,
    options: ScoringOptions = OPTIONS,
    **reading: Any,
) -> tuple[bytes, StreamResult]:
    out = io.BytesIO()
    source = data.encode() if isinstance(data, str) else data
    with open_csv(source, "homes.csv", Settings(), contract) as opened:
        streamed = value_stream(opened, backend, out, options, **reading)
    return out.getvalue(), streamed


def rows_of(text: str, separator: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))


@st.composite
def rows(draw: st.DrawFn) -> str:
    """Draw a row without its line ending: as a spreadsheet writes it, or broken."""
    if draw(st.integers(0, 4)) == 0:
        return draw(BROKEN)
    cells = draw(st.lists(CELLS, min_size=5, max_size=5))
    line = io.StringIO(newline="")
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    csv.writer(line, quoting=quoting).writerow(cells)
    return line.getvalue().removesuffix("\r\n")


@few_examples
@given(
    st.lists(rows(), max_size=7), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.integers(1, 4)
)
def test_every_row_is_returned_once_in_order_and_valid_ones_byte_for_byte(
    backend, contract, lines, ending, last, n_rows
):
    text = ending.join([HEADER, *lines, CLOSING]) + (ending if last else "")
    data, streamed = stream(text, backend, contract, rows=n_rows)
    assert stream(text, backend, contract)[0] == data
    found = rows_of(data.decode())
    assert found[0] == [*HEADER.split(","), *VALUATION_COLUMNS, "as_of"]
    table = read_table(text.encode(), "homes.csv", Settings(), contract)
    assert [row[:5] for row in found[1:]] == table.cells.to_numpy().tolist()
    assert [row[5] for row in found[1:]] == [str(1 + row) for row in range(len(table.cells))]
    assert {len(row) for row in found} == {6 + len(VALUATION_COLUMNS)}
    rows_with_problems = {problem.row for problem in table.problems}
    with open_csv(text.encode(), "homes.csv", Settings(), contract) as source:
        given_lines = [line for chunk in source.chunks() for line in chunk.lines]
    offset = data.index(b",valued_at")
    for number, line in enumerate(given_lines, start=1):
        body = line.rstrip("\r\n")
        assert number in rows_with_problems or body in text
        offset = data.index(f"{body},{number},".encode(), offset + 1)
        assert data[offset - 1 : offset] in (b"\r", b"\n")
    assert streamed.counts.rows == len(table.cells)


@few_examples
@given(st.lists(rows(), max_size=7), st.integers(1, 4))
def test_a_stream_equals_the_table_valued_in_one_step(backend, contract, lines, n_rows):
    text = "\n".join([HEADER, *lines, CLOSING, ""])
    scored = value_table(read_table(text.encode(), "homes.csv", Settings(), contract), backend)
    data, streamed = stream(text, backend, contract, rows=n_rows)
    assert rows_of(data.decode()) == rows_of(to_csv(scored.frame, escape_formulas=False).decode())
    assert streamed.notes == scored.notes
    of_table = [each for each in streamed.problems if each.code != "formula_cells"]
    assert of_table == [each for each in scored.problems if each.row is None]
    summary, totals = scored.summary, streamed.counts
    assert (totals.rows, totals.valued, totals.warnings, totals.errors) == (
        summary.rows,
        summary.valued,
        summary.warnings,
        summary.errors,
    )
    assert totals.errors_by_code == summary.errors_by_code
    assert totals.total == pytest.approx(summary.total)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252", "latin-1"]
)
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_encoding_separator_and_line_endings_are_preserved(
    backend, contract, encoding, separator, ending
):
    remark = "Café\x81" if encoding == "latin-1" else "Café – 5 €"
    lines = ["size,quarter,grade,built,remark", f"90,S,A,1980,{remark}", '90,S,"A",1980,""', "1,2"]
    text = ending.join(lines).replace(",", separator)
    data, _ = stream(text.encode(encoding), backend, contract, rows=1)
    written = data.decode(encoding)
    assert data.startswith(text.encode(encoding)[:20])
    for line in text.split(ending)[:3]:
        assert line + separator in written
    assert written.count(ending) == 4
    assert written.endswith(ending)
    output = rows_of(written, separator)
    assert [row[6] for row in output[1:]] == ["ok", "ok", "error"]
    assert output[1][7] == "90011.25"


@pytest.mark.parametrize(
    ("size", "price", "level"), [("90,5", "90511,31", "0,9"), ("90.5", "90511.31", "0.9")]
)
def test_output_numbers_have_the_decimal_sign_of_the_file(backend, contract, size, price, level):
    text = f"size;quarter;grade;built\n{size};S;A;1980\n"
    data, _ = stream(text, backend, contract)
    header, valued = rows_of(data.decode(), ";")
    assert valued[0] == size
    assert valued[header.index("predicted_price")] == price
    assert valued[header.index("interval")] == level
    again, _ = stream(data, backend, contract)
    assert rows_of(again.decode(), ";")[1][:-1] == valued[:-1]


def test_input_cells_are_preserved_if_the_encoding_lacks_a_character_of_a_message(
    backend, contract
):
    text = f"{HEADER}\n90,Ä,S,1980,\x81\n"
    data, _ = stream(text.encode("latin-1"), backend, contract)
    assert b"90,\xc4,S,1980,\x81,1,error," in data


def test_the_output_of_a_compressed_file_is_not_compressed(backend, contract):
    text = f"{HEADER}\n{GOOD}\n"
    assert stream(gzip.compress(text.encode()), backend, contract) == stream(
        text, backend, contract
    )


def test_empty_columns_at_the_right_are_preserved_without_a_message(backend, contract):
    data, streamed = stream(f"{HEADER},,\n{GOOD},,\n{GOOD}\n", backend, contract)
    lines = data.decode().splitlines()
    assert lines[0].startswith(f"{HEADER},,,row,")
    assert lines[1].startswith(f"{GOOD},,,1,ok")
    assert lines[2].startswith(f"{GOOD},,,2,ok")
    assert not any("column 6" in problem.message for problem in streamed.problems)


def test_the_valuation_of_an_earlier_run_is_replaced(backend, contract):
    text = f'{HEADER}\r\n{GOOD}\r\n-5,A,S,1980,"x,y"\r\n'
    first, _ = stream(text, backend, contract)
    again, streamed = stream(first, backend, contract, rows=1)
    assert again == first
    assert streamed.notes == ("The table was valued before: its old valuation was replaced.",)


def test_an_input_column_named_like_an_output_column_is_renamed(backend, contract):
    text = 'size,grade,quarter,built,"status"\n90,A,S,1980,"sold"\n'
    data, streamed = stream(text, backend, contract)
    header, line = data.decode().splitlines()
    assert header.startswith("size,grade,quarter,built,input_status,row,status,")
    assert line.startswith('90,A,S,1980,"sold",1,ok,')
    assert "status is called input_status" in streamed.notes[0]


def test_cells_that_a_spreadsheet_might_run_are_noted_or_escaped(backend, contract):
    data = "size,quarter,=note\n90,S,plain\n120,N,=1+1\n60,S,-5\n80,N,@x\n"
    kept, result = stream(data, backend, contract)
    assert [problem.code for problem in result.problems].count("formula_cells") == 1
    assert kept.startswith(b"size,quarter,=note,row,")
    escaped, result = stream(data, backend, contract, ScoringOptions(escape_formulas=True))
    assert "formula_cells" not in {problem.code for problem in result.problems}
    assert [row[2] for row in rows_of(escaped.decode())] == [
        "'=note", "plain", "'=1+1", "-5", "'@x"
    ]  # fmt: skip
    _, result = stream(data.replace("=", "").replace("@", ""), backend, contract)
    assert "formula_cells" not in {problem.code for problem in result.problems}
    _, result = stream("size,quarter\n=9+1,S\n", backend, contract)
    assert "formula_cells" in {problem.code for problem in result.problems}


def test_problems_of_the_whole_table_are_reported_once(backend, contract):
    data, streamed = stream(
        "size;quarter;why\n" + "9,5;S;x\n" * 5 + "\n\n", backend, contract, rows=2
    )
    assert [problem.code for problem in streamed.problems] == ["missing_columns", "unknown_columns"]
    assert [note.split(" ")[0] for note in streamed.notes] == ["2", "Numbers"]
    assert len(data.splitlines()) == 6


def test_evidence_is_requested_on_option(backend, contract):
    text = f"{HEADER}\n{GOOD}\n"
    stream(text, backend, contract)
    stream(text, backend, contract, ScoringOptions(evidence=True))
    assert backend.evidence == [False, True]


def test_progress_increases_to_one_and_counts_rows(backend, contract):
    updates = []
    stream(
        f"{HEADER}\n" + f"{GOOD}\n" * 5,
        backend,
        contract,
        rows=2,
        progress=lambda *update: updates.append(update),
    )
    shares = [share for share, _ in updates]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert updates[-1][1].startswith("5 houses valued")


def test_no_chunk_has_more_rows_than_requested(backend, contract):
    stream(f"{HEADER}\n" + f"{GOOD}\n" * 11, backend, contract, rows=4)
    assert [len(rows) for rows in backend.calls] == [4, 4, 3]


def test_nothing_is_written_for_a_file_without_houses(backend, contract):
    out = io.BytesIO()
    with (
        pytest.raises(InputError, match="a header but no houses"),
        open_csv(f"{HEADER}\n\n".encode(), "homes.csv", Settings(), contract) as source,
    ):
        value_stream(source, backend, out, OPTIONS)
    assert out.getvalue() == b""


def test_joined_chunks_equal_the_stream(backend, contract, tmp_path):
    text = f"{HEADER}\n" + f"{GOOD}\n" * 5
    path = tmp_path / "homes.csv"
    path.write_text(text, encoding="utf-8")
    with open_csv(path, path.name, Settings(), contract) as source:
        chunks = list(value_chunks(source, backend, OPTIONS, rows=2))
    assert [chunk.counts.rows for chunk in chunks] == [2, 2, 1]
    assert b"".join(chunk.data for chunk in chunks) == stream(text, backend, contract)[0]
