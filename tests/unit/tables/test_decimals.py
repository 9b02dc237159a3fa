"""Numbers with a decimal comma are read correctly or reported: never wrong by a factor of 1000."""

import pytest

from houseprice.market.contract import Contract
from houseprice.settings import Settings
from houseprice.tables.reader import read_table
from houseprice.tables.table import Table


def sizes(contract: Contract, *spellings: str, separator: str = ";") -> tuple[list[str], Table]:
    quoted = [f'N{separator}"{spelling}"' for spelling in spellings]
    text = "\n".join([f"quarter{separator}size", *quoted])
    table = read_table(text.encode(), "homes.csv", Settings(), contract)
    return table.rows["size"].tolist(), table


@pytest.mark.parametrize(
    ("spelling", "number"),
    [
        ("90,5", "90.5"),
        ("90,25", "90.25"),
        ("1.250,5", "1250.5"),
        ("1 250,5", "1250.5"),
        ("-0,125", "-0.125"),
        (",5", ".5"),
        ("1250,000", "1250.000"),
        ("90,5 sq m", "90.5 sq m"),
        ("1.250.000", "1250000"),
    ],
)
def test_an_unambiguous_decimal_comma_is_read(contract, spelling, number):
    rows, table = sizes(contract, spelling)
    assert rows == [number]
    assert table.cells["size"].tolist() == [spelling]
    assert "decimal comma" in table.notes[0]


def test_one_unambiguous_number_decides_how_ambiguous_ones_are_read(contract):
    assert sizes(contract, "90,5", "1,250", "1.250", "90")[0] == ["90.5", "1.250", "1250", "90"]
    rows, table = sizes(contract, "90.5", "1,250", "1.250")
    assert rows == ["90.5", "1,250", "1.250"]
    assert (table.problems, table.notes) == ((), ())


@pytest.mark.parametrize("others", [[], ["90"], ["90,5", "90.5"]])
@pytest.mark.parametrize("ambiguous", ["1,250", "1.250"])
def test_without_one_an_ambiguous_number_is_an_error_of_its_row(contract, ambiguous, others):
    _, table = sizes(contract, *others, ambiguous)
    (problem,) = table.problems
    assert (problem.row, problem.code) == (len(others) + 1, "ambiguous_number")
    assert problem.expected == "1250 or 1.2500"


def test_both_suggested_spellings_are_unambiguous(contract):
    assert sizes(contract, "1250")[1].problems == ()
    assert sizes(contract, "1.2500")[1].problems == ()


@pytest.mark.parametrize("separator", [",", "\t", "|"])
def test_decimal_commas_are_read_with_any_separator(contract, separator):
    rows, table = sizes(contract, "1,250", "90,5", separator=separator)
    assert rows == ["1.250", "90.5"]
    assert table.problems == ()


def test_with_commas_between_cells_an_ambiguous_number_has_a_decimal_point(contract):
    for texts in (["1,250"], ["1,250", "90,5", "90.5"]):
        rows, table = sizes(contract, *texts, separator=",")
        assert (rows, table.problems) == (texts, ())


def test_text_columns_are_unchanged(contract):
    text = "size;quarter;note\n90,5;N;12,5\n"
    table = read_table(text.encode(), "homes.csv", Settings(), contract)
    assert table.rows["note"].tolist() == ["12,5"]
