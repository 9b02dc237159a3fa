"""Problems are renumbered when tables are cut and put together."""

from houseprice.market.problems import (
    Problem,
    Severity,
    concat_problems,
    renumbered,
    rows_with_problems,
    shifted,
)


def problem(row: int | None, field: str | None = None, severity: Severity = "error") -> Problem:
    return Problem(row, field, "code", severity, "Message.")


TABLE, FIRST, THIRD = problem(None), problem(1), problem(3)


def test_rows_are_shifted_and_problems_of_the_table_are_not():
    assert shifted([TABLE, FIRST], 10) == [TABLE, problem(11)]


def test_chunks_become_one_table_and_its_problems_are_listed_once():
    assert concat_problems([(3, [TABLE, FIRST]), (5, [TABLE, THIRD])]) == [TABLE, FIRST, problem(6)]


def test_problems_of_selected_rows_return_to_the_rows_of_the_table():
    assert renumbered([TABLE, problem(2)], [0, 7]) == [TABLE, problem(8)]


def test_rows_with_problems_are_a_mask():
    assert rows_with_problems([TABLE, THIRD], 4).tolist() == [False, False, True, False]
