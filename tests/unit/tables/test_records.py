"""A file gives the same rows however it is split into chunks."""

import contextlib
import csv
import io
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from houseprice.errors import InputError
from houseprice.settings import Settings
from houseprice.tables import records
from houseprice.tables.reader import open_csv, read_table
from houseprice.tables.records import MAX_LINE_CHARS, Lines, Shape, read_blocks
from houseprice.tables.table import Table

# Valid and invalid lines, in every way that affects where a record ends.
LINES = st.sampled_from(
    [
        *(
            "1,2",
            "1,2,3",
            "1",
            "",
            ",",
            " , ",
            "é,ü",
            "1,2,",
            '"1",2',
            '1,"2,3"',
            '6" x,2',
            "\ufeff1,2",
        ),
        *('"1\n2",3', '1,"\r\n"', '"6,2', '"6" x,2', '1,"2""3"', '"', '""', '1,"', "\x0c,\u2028"),
    ]
)
ENDINGS = st.sampled_from(["\n", "\r\n", "\r"])


@st.composite
def files(draw: st.DrawFn) -> str:
    """Draw a file with the header a,b; its last row closes any open quotation mark."""
    rows = draw(st.lists(st.tuples(LINES, ENDINGS), max_size=8))
    return "a,b\n" + "".join(line + end for line, end in rows) + '"x"\n'


def contents(chunks: Iterable[Table]) -> list[object]:
    """Return rows, lines and problems, numbered as in the file, or the error."""
    found: list[object] = []
    try:
        for chunk in chunks:
            found += zip(chunk.cells.to_numpy().tolist(), chunk.lines, strict=True)
            found += [(p.row + chunk.start, p.code, p.message, p.read) for p in chunk.problems]
    except InputError as error:
        return [str(error)]
    return sorted(found, key=repr)


@given(files(), st.integers(1, 5))
def test_the_rows_are_the_same_for_every_size_of_chunks(text, rows):
    with open_csv(text.encode(), "homes.csv", Settings()) as source:
        assert contents(source.chunks(rows)) == contents(source.chunks())
        with contextlib.suppress(InputError):
            starts = [chunk.start for chunk in source.chunks(rows)]
            (whole,) = source.chunks()
            assert starts == list(range(0, len(whole.cells), rows))
            table = read_table(text.encode(), "homes.csv", Settings())
            assert table.cells.equals(whole.cells)
            assert table.problems == whole.problems


@given(st.lists(st.tuples(LINES, ENDINGS), min_size=1, max_size=8).filter(lambda rows: rows[-1]))
def test_the_fast_and_the_slow_parser_agree(rows):
    text = "".join(line + end for line, end in rows)
    shape = Shape("homes.csv", ["a", "b"], ",")

    def read(text):
        found = read_blocks(Lines(io.StringIO(text, newline="")), shape, 99)
        return [
            row for block in found for row in zip(*block.cells.to_pydict().values(), strict=True)
        ]

    try:
        # The fast parser can't read the first row: a cell of two lines.
        slow = read(f'"\n",\n{text}')[1:]
    except InputError:
        with pytest.raises(InputError, match="never closed"):
            read(text)
    else:
        assert read(text) == slow


@given(st.text(st.characters(exclude_characters='\0"\r\n', exclude_categories=["Cs"]), max_size=40))
def test_any_line_without_quotation_marks_is_split_as_python_splits_it(line):
    shape = Shape("homes.csv", [str(column) for column in range(line.count(",") + 1)], ",")
    (block,) = read_blocks(Lines([f"{line}\n"]), shape, 1)
    read = [column[0] for column in block.cells.to_pydict().values()]
    assert read == (next(csv.reader([f"{line}\n"], strict=True)) or [""])


def test_chunks_have_fewer_rows_where_lines_are_long():
    text = "a,b\n" + f"{'x' * 1000},2\n" * 3 * records.BLOCK_LINES
    with open_csv(text.encode(), "homes.csv", Settings()) as source:
        sizes = [len(chunk.cells) for chunk in source.chunks(chars=2**20)]
    assert sizes == [records.BLOCK_LINES] * 3


def test_an_endless_row_is_refused_before_it_fills_the_memory():
    endless = f'","{"x" * 100_000}\n'
    lines = Lines(endless[2:] if number == 0 else endless for number in range(MAX_LINE_CHARS))
    with pytest.raises(InputError, match="The row that starts on line 1 has more than"):
        next(csv.reader(lines, strict=True))


def test_decimal_commas_are_detected_in_any_chunk(contract):
    text = "size;quarter\n" + "1,250;N\n" * 5 + "90,5;N\n" + "1.250;N\n" * 5
    with open_csv(text.encode(), "homes.csv", Settings(), contract) as source:
        assert "decimal comma" in source.layout.notes[0]
        sizes = [size for chunk in source.chunks(2) for size in chunk.rows["size"]]
    assert sizes == ["1.250"] * 5 + ["90.5"] + ["1250"] * 5


def test_an_ambiguous_number_is_an_error_in_any_chunk(contract):
    text = "size;quarter\n90;N\n80;N\n1,250;N\n1;2;3\n"
    with open_csv(text.encode(), "homes.csv", Settings(), contract) as source:
        found = [[(p.row, p.code) for p in chunk.problems] for chunk in source.chunks(2)]
    assert found == [[], [(2, "wrong_cell_count"), (1, "ambiguous_number")]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_a_large_file_is_scanned_across_chunk_boundaries(encoding, ending):
    n_rows = 70_000
    text = ending.join(["größe,x", *[f"{row},éé€" for row in range(n_rows)], ",", ""])
    with open_csv(text.encode(encoding), "homes.csv", Settings()) as source:
        assert source.layout.most_rows == n_rows
        assert sum(len(chunk.cells) for chunk in source.chunks()) == n_rows


def test_an_open_file_is_read_from_its_start_and_stays_open():
    file = io.BytesIO(b"a,b\n1,2\n")
    file.read()
    for _ in range(2):
        with open_csv(file, "homes.csv", Settings()) as source:
            assert [len(chunk.cells) for chunk in source.chunks()] == [1]
    with pytest.raises(InputError), open_csv(io.BytesIO(b'"a\n'), "homes.csv", Settings()):
        pass
    assert not file.closed


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path):
    path = tmp_path / "homes.csv"
    path.write_bytes(b"a,b\n" + b"1,2\n" * 100)
    with open_csv(path, path.name, Settings()) as source:
        path.write_bytes(b"a,b\n" + b"\xff,2\n" * 100)
        with pytest.raises(InputError, match="could not be read to its end"):
            list(source.chunks())


def test_a_file_over_a_limit_of_bytes_is_refused():
    data = b"a,b\n" + b"1,2\n" * 2**18
    with (
        pytest.raises(InputError, match="holds more than 1 MB"),
        open_csv(data, "homes.csv", Settings(), max_bytes=1_000_000),
    ):
        pass
