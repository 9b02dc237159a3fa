"""Columns are matched whatever their spelling, and written with their original names."""

import pytest

from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.settings import Settings
from houseprice.tables.reader import read_table
from houseprice.tables.table import Table


def read(text: str, contract: Contract | None = None) -> Table:
    return read_table(text.encode(), "homes.csv", Settings(), contract)


def cells(table: Table) -> list[list[str]]:
    return table.cells.to_numpy().tolist()


def test_blanks_around_a_column_name_are_ignored_and_preserved():
    table = read(" size ,quarter\t\n90,N\n")
    assert list(table.rows.columns) == ["size", "quarter"]
    assert table.headers == (" size ", "quarter\t")


def test_columns_without_a_name_are_distinguished():
    table = read(",size,,column 1\n0,90,x,y\n")
    assert table.headers == ("", "size", "", "column 1")
    assert table.cells.columns.is_unique
    assert cells(table) == [["0", "90", "x", "y"]]


def test_a_column_without_a_name_is_kept_if_it_has_values():
    table = read("a,,b,,\n1,2,3,x,\n4,5,6,,\n")
    assert table.headers == ("a", "", "b", "")
    assert list(table.rows.columns) == ["a", "column 2", "b"]
    assert cells(table) == [["1", "2", "3", "x"], ["4", "5", "6", ""]]


@pytest.mark.parametrize(
    "spelling", ["Ground Floor", "GROUND_FLOOR", "ground-floor", "Groundfloor"]
)
def test_case_and_spacing_of_a_column_name_are_ignored(contract, spelling):
    table = read(f"size;{spelling}\n90;45,5\n", contract)
    assert table.headers == ("size", spelling)
    assert table.rows.to_dict("records") == [{"size": "90", "ground floor": "45.5"}]
    note = f"Column names were matched: {spelling} as ground floor."
    assert table.notes[0] == note


def test_the_first_few_of_many_renamed_columns_are_listed(contract):
    table = read("SIZE,GRADE,QUARTER,GARDEN,BEDS,BUILT,SOLD\n" + "1," * 6 + "1\n", contract)
    assert table.notes[0].endswith("GARDEN as garden, BEDS as beds and 2 more.")


def test_two_spellings_of_one_column_are_refused(contract):
    message = r"more than one column named ground floor \(ground floor and Ground_Floor\)"
    with pytest.raises(InputError, match=message):
        read("size,ground floor,Ground_Floor\n1,2,3\n", contract)


def test_a_missing_header_is_refused(contract):
    with pytest.raises(InputError, match="the row with the column names seems to be missing"):
        read("90,A,S,1980\n80,A,S,1990\n", contract)
    assert read("what,else,1990\n1,2,3\n").headers == ("what", "else", "1990")
    assert read("size,1990\n1,2\n", contract).headers == ("size", "1990")


def test_two_columns_of_one_name_are_refused_if_the_contract_uses_them(contract):
    with pytest.raises(InputError, match="more than one column named quarter, size"):
        read("size,quarter,size ,quarter\n1,2,3,4\n", contract)
    table = read("size,note,note (2),note\n1,2,3,4\n", contract)
    assert table.cells.columns.tolist() == ["size", "note", "note (2)", "note (3)"]
    assert table.headers == ("size", "note", "note (2)", "note")


def test_rows_that_could_not_be_read_are_left_out():
    table = read("size,quarter\n90,N\n80,N\n70,S\n60,S\n50,S,x\n")
    assert [(each.row, each.field) for each in table.problems] == [(5, None)]
    assert table.readable_rows["size"].tolist() == ["90", "80", "70", "60"]
