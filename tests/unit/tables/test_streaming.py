"""Each row comes back as it stood, byte for byte, with its valuation behind it."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
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
CLOSING = '"90",A,S,1980,here'  # ends whatever quotation mark was left open
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
shared = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


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


@shared
@given(
    st.lists(rows(), max_size=7), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.integers(1, 4)
)
def test_every_row_comes_back_once_in_order_and_sound_ones_byte_for_byte(
    surveyor: Backend, contract: Contract, lines: list[str], ending: str, last: bool, piece: int
) -> None:
    text = ending.join([HEADER, *lines, CLOSING]) + (ending if last else "")
    data, streamed = stream(text, surveyor, contract, rows=piece)
    assert stream(text, surveyor, contract)[0] == data
    found = rows_of(data.decode())
    assert found[0] == [*HEADER.split(","), *VALUATION_COLUMNS]
    table = read_table(text.encode(), "homes.csv", Settings(), contract)
    assert [row[:5] for row in found[1:]] == table.cells.to_numpy().tolist()
    assert [row[5] for row in found[1:]] == [str(1 + row) for row in range(len(table.cells))]
    assert {len(row) for row in found} == {5 + len(VALUATION_COLUMNS)}
    odd = {problem.row for problem in table.problems}
    with open_csv(text.encode(), "homes.csv", Settings(), contract) as source:
        given_lines = [line for part in source.chunks() for line in part.lines]
    place = data.index(b",valued_at")
    for number, line in enumerate(given_lines, start=1):
        body = line.rstrip("\r\n")
        assert number in odd or body in text
        place = data.index(f"{body},{number},".encode(), place + 1)
        assert data[place - 1 : place] in (b"\r", b"\n")
    assert streamed.counts.rows == len(table.cells)


@shared
@given(st.lists(rows(), max_size=7), st.integers(1, 4))
def test_the_page_and_the_stream_say_the_same(
    surveyor: Backend, contract: Contract, lines: list[str], piece: int
) -> None:
    text = "\n".join([HEADER, *lines, CLOSING, ""])
    scored = value_table(read_table(text.encode(), "homes.csv", Settings(), contract), surveyor)
    data, streamed = stream(text, surveyor, contract, rows=piece)
    assert rows_of(data.decode()) == rows_of(to_csv(scored.frame, escape_formulas=False).decode())
    assert streamed.notes == scored.notes
    assert streamed.problems == tuple(p for p in scored.problems if p.row is None)
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
def test_encoding_separator_and_line_endings_stay_those_of_the_file(
    surveyor: Backend, contract: Contract, encoding: str, separator: str, ending: str
) -> None:
    strange = "Café\x81" if encoding == "latin-1" else "Café – 5 €"
    lines = ["size,quarter,grade,built,remark", f"90,S,A,1980,{strange}", '90,S,"A",1980,""', "1,2"]
    text = ending.join(lines).replace(",", separator)
    data, _ = stream(text.encode(encoding), surveyor, contract, rows=1)
    written = data.decode(encoding)
    assert data.startswith(text.encode(encoding)[:20])
    for line in text.split(ending)[:3]:
        assert line + separator in written
    assert written.count(ending) == 4
    assert written.endswith(ending)
    answered = rows_of(written, separator)
    assert [row[6] for row in answered[1:]] == ["ok", "ok", "error"]
    assert answered[1][7] == "90011.25"


@pytest.mark.parametrize(
    ("size", "price", "level"), [("90,5", "90511,31", "0,9"), ("90.5", "90511.31", "0.9")]
)
def test_our_numbers_have_the_decimal_sign_of_the_file(
    surveyor: Backend, contract: Contract, size: str, price: str, level: str
) -> None:
    text = f"size;quarter;grade;built\n{size};S;A;1980\n"
    data, _ = stream(text, surveyor, contract)
    header, valued = rows_of(data.decode(), ";")
    assert valued[0] == size
    assert valued[header.index("predicted_price")] == price
    assert valued[header.index("interval")] == level
    again, _ = stream(data, surveyor, contract)
    assert rows_of(again.decode(), ";")[1][:-1] == valued[:-1]


def test_a_sign_that_the_encoding_lacks_is_lost_in_our_words_alone(
    surveyor: Backend, contract: Contract
) -> None:
    text = f"{HEADER}\n90,Ä,S,1980,\x81\n"
    data, _ = stream(text.encode("latin-1"), surveyor, contract)
    assert b"90,\xc4,S,1980,\x81,1,error," in data


def test_a_packed_file_comes_back_unpacked(surveyor: Backend, contract: Contract) -> None:
    text = f"{HEADER}\n{GOOD}\n"
    assert stream(gzip.compress(text.encode()), surveyor, contract) == stream(
        text, surveyor, contract
    )


def test_empty_columns_at_the_right_come_back_and_are_nothing_to_say(
    surveyor: Backend, contract: Contract
) -> None:
    data, streamed = stream(f"{HEADER},,\n{GOOD},,\n{GOOD}\n", surveyor, contract)
    lines = data.decode().splitlines()
    assert lines[0].startswith(f"{HEADER},,,row,")
    assert lines[1].startswith(f"{GOOD},,,1,ok")
    assert lines[2].startswith(f"{GOOD},,,2,ok")
    assert not any("column 6" in problem.message for problem in streamed.problems)


def test_a_file_that_was_valued_before_gets_a_new_valuation(
    surveyor: Backend, contract: Contract
) -> None:
    text = f'{HEADER}\r\n{GOOD}\r\n-5,A,S,1980,"x,y"\r\n'
    first, _ = stream(text, surveyor, contract)
    again, streamed = stream(first, surveyor, contract, rows=1)
    assert again == first
    assert streamed.notes == ("The table was valued before: its old valuation was replaced.",)


def test_a_column_with_a_valuations_name_gets_another_and_its_rows_stay(
    surveyor: Backend, contract: Contract
) -> None:
    text = 'size,grade,quarter,built,"status"\n90,A,S,1980,"sold"\n'
    data, streamed = stream(text, surveyor, contract)
    header, line = data.decode().splitlines()
    assert header.startswith("size,grade,quarter,built,input_status,row,status,")
    assert line.startswith('90,A,S,1980,"sold",1,ok,')
    assert "status is called input_status" in streamed.notes[0]


def test_what_holds_for_the_whole_table_is_said_once(surveyor: Backend, contract: Contract) -> None:
    data, streamed = stream(
        "size;quarter;why\n" + "9,5;S;x\n" * 5 + "\n\n", surveyor, contract, rows=2
    )
    assert [problem.code for problem in streamed.problems] == ["missing_columns", "unknown_columns"]
    assert [note.split(" ")[0] for note in streamed.notes] == ["2", "Numbers"]
    assert len(data.splitlines()) == 6


def test_evidence_is_given_if_asked_for(surveyor: Backend, contract: Contract) -> None:
    text = f"{HEADER}\n{GOOD}\n"
    stream(text, surveyor, contract)
    stream(text, surveyor, contract, ScoringOptions(evidence=True))
    assert surveyor.evidence == [False, True]


def test_progress_tells_rows_and_never_more_than_all(surveyor: Backend, contract: Contract) -> None:
    told: list[tuple[float, str]] = []
    stream(
        f"{HEADER}\n" + f"{GOOD}\n" * 5,
        surveyor,
        contract,
        rows=2,
        progress=lambda *now: told.append(now),
    )
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert told[-1][1].startswith("5 houses valued")


def test_no_more_rows_than_asked_for_are_in_hand_at_a_time(
    surveyor: Backend, contract: Contract
) -> None:
    stream(f"{HEADER}\n" + f"{GOOD}\n" * 11, surveyor, contract, rows=4)
    assert [len(rows) for rows in surveyor.asked] == [4, 4, 3]


def test_nothing_is_written_of_a_file_without_houses(surveyor: Backend, contract: Contract) -> None:
    out = io.BytesIO()
    with (
        pytest.raises(InputError, match="a header but no houses"),
        open_csv(f"{HEADER}\n\n".encode(), "homes.csv", Settings(), contract) as source,
    ):
        value_stream(source, surveyor, out, OPTIONS)
    assert out.getvalue() == b""


def test_whoever_pulls_gets_the_same_bytes_part_by_part(
    surveyor: Backend, contract: Contract, tmp_path: Path
) -> None:
    text = f"{HEADER}\n" + f"{GOOD}\n" * 5
    path = tmp_path / "homes.csv"
    path.write_text(text, encoding="utf-8")
    with open_csv(path, path.name, Settings(), contract) as source:
        parts = list(value_chunks(source, surveyor, OPTIONS, rows=2))
    assert [part.counts.rows for part in parts] == [2, 2, 1]
    assert b"".join(part.data for part in parts) == stream(text, surveyor, contract)[0]
