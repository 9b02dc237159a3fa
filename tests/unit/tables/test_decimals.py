"""Numbers with a decimal comma are read right, or asked about: never wrong by a thousand."""

from __future__ import annotations

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
        ("90,5 sq m", "90.5"),
        ("1.250.000", "1250000"),
    ],
)
def test_a_decimal_comma_beyond_doubt_is_read(
    contract: Contract, spelling: str, number: str
) -> None:
    rows, table = sizes(contract, spelling)
    assert rows == [number]
    assert table.cells["size"].tolist() == [spelling]
    assert "decimal comma" in table.notes[0]


def test_one_number_beyond_doubt_decides_for_the_doubtful_ones(contract: Contract) -> None:
    assert sizes(contract, "90,5", "1,250", "1.250", "90")[0] == ["90.5", "1.250", "1250", "90"]
    rows, table = sizes(contract, "90.5", "1,250", "1.250")
    assert rows == ["90.5", "1,250", "1.250"]
    assert (table.problems, table.notes) == ((), ())


@pytest.mark.parametrize("others", [[], ["90"], ["90,5", "90.5"]])
@pytest.mark.parametrize("doubtful", ["1,250", "1.250"])
def test_without_one_a_doubtful_number_is_an_error_of_its_row(
    contract: Contract, doubtful: str, others: list[str]
) -> None:
    _, table = sizes(contract, *others, doubtful)
    (problem,) = table.problems
    assert (problem.row, problem.code) == (len(others) + 1, "ambiguous_number")
    assert problem.expected == "1250 or 1.2500"


def test_both_ways_out_of_a_doubt_that_are_offered_work(contract: Contract) -> None:
    assert sizes(contract, "1250")[1].problems == ()
    assert sizes(contract, "1.2500")[1].problems == ()


@pytest.mark.parametrize("separator", [",", "\t", "|"])
def test_other_files_are_left_to_the_checks(contract: Contract, separator: str) -> None:
    rows, table = sizes(contract, "1,250", "90,5", separator=separator)
    assert rows == ["1,250", "90,5"]
    assert table.problems == ()


def test_texts_are_never_touched(contract: Contract) -> None:
    text = "size;quarter;note\n90,5;N;12,5\n"
    table = read_table(text.encode(), "homes.csv", Settings(), contract)
    assert table.rows["note"].tolist() == ["12,5"]
