"""A correction changes the edited cells, and nothing else."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.settings import Settings
from houseprice.tables.corrections import (
    allowed_values,
    apply_edits,
    collect_edits,
    invalid_cells,
    uncorrectable_rows,
)
from houseprice.tables.reader import read_table
from houseprice.tables.table import Table
from tests.tables import value_table

TEXT = """key,size,quarter,grade,note
a,120,N,B,"keep, this"
b,-5,N,B,
c,many,Z,b,=1+1
d,80,,A,
"""


def read(text: str, limits: Settings, contract: Contract) -> Table:
    return read_table(text.encode(), "houses.csv", limits, contract)


def test_each_invalid_cell_is_listed_once_as_in_the_file(limits, contract, backend):
    table = read(TEXT, limits, contract)
    frame = invalid_cells(table, value_table(table, backend), contract)
    assert [*zip(frame["row"], frame["field"], frame["read"], strict=True)] == [
        (2, "Floor area", "-5"),
        (3, "Floor area", "many"),
        (3, "Quarter", "Z"),
        (4, "Quarter", ""),
    ]
    assert frame["expected"].str.len().gt(0).all()
    assert frame["corrected"].equals(frame["read"])


def test_a_corrected_table_is_valued_and_all_other_cells_are_unchanged(limits, contract, backend):
    table = read(TEXT, limits, contract)
    before = invalid_cells(table, value_table(table, backend), contract)
    after = before.assign(corrected=["150", "90", "S", "Hill"])
    corrected = apply_edits(table, collect_edits(before, after), contract)
    scored = value_table(corrected, backend)
    assert scored.summary.errors == 0
    assert scored.inputs["note"].tolist() == ["keep, this", "", "=1+1", ""]
    assert scored.inputs["size"].tolist() == ["120", "150", "90", "80"]
    assert table.cells["size"].tolist() == ["120", "-5", "many", "80"]
    assert invalid_cells(corrected, scored, contract).empty


def test_the_allowed_values_are_the_levels_of_the_contract(contract):
    assert allowed_values(contract, "quarter") == {
        "N": "North bank",
        "S": "South bank",
        "H": "Hill",
    }
    assert allowed_values(contract, "size") == allowed_values(contract, "note") == {}


def test_a_cleared_cell_is_blank(contract):
    before = pd.DataFrame({"row": [1], "column": ["size"], "corrected": ["x"]})
    assert collect_edits(before, before.assign(corrected=[None])) == {(1, "size"): ""}
    assert collect_edits(before, before) == {}


def test_an_edited_list_with_other_rows_is_refused(contract):
    before = pd.DataFrame({"row": [1, 2], "column": ["size", "size"], "corrected": ["x", "y"]})
    with pytest.raises(InputError, match="has changed"):
        collect_edits(before, before.iloc[:1])
    with pytest.raises(InputError, match="has changed"):
        collect_edits(before, before.iloc[::-1])


@pytest.mark.parametrize("cell", [(0, "size"), (5, "size"), (1, "nowhere")])
def test_a_cell_outside_the_table_is_refused(cell, limits, contract):
    with pytest.raises(InputError, match="has no cell"):
        apply_edits(read(TEXT, limits, contract), {cell: "1"}, contract)


COMMAS = "key;size;quarter\na;120,5;N\nb;x;N\nc;99,25;S\n"


@pytest.mark.parametrize("typed", ["80,5", "80.5"])
def test_in_a_file_with_decimal_commas_a_number_may_be_typed_either_way(
    typed, limits, contract, backend
):
    table = apply_edits(read(COMMAS, limits, contract), {(2, "size"): typed}, contract)
    assert table.rows["size"].tolist() == ["120.5", "80.5", "99.25"]
    assert table.cells["size"].tolist() == ["120,5", "80,5", "99,25"]
    assert value_table(table, backend).summary.errors == 0


def test_an_ambiguous_number_is_checked_again_after_a_correction(limits, contract, backend):
    table = read("key;size;quarter\na;1.250;N\nb;1.300;N\n", limits, contract)
    assert value_table(table, backend).summary.valued == 0
    once = apply_edits(table, {(1, "size"): "125"}, contract)
    assert value_table(once, backend).valuations["status"].tolist() == ["ok", "error"]
    again = apply_edits(once, {(2, "size"): "1.301"}, contract)
    assert [(p.row, p.code, p.read) for p in again.problems] == [(2, "ambiguous_number", "1.301")]


def test_rows_with_a_wrong_number_of_cells_are_uncorrectable(limits, contract, backend):
    table = read("key,size,quarter\na,-1,N,5\nb,-1,N\n", limits, contract)
    scored = value_table(table, backend)
    assert uncorrectable_rows(scored) == (1,)
    assert invalid_cells(table, scored, contract)["row"].tolist() == [2]
    corrected = apply_edits(table, {(2, "size"): "90"}, contract)
    assert value_table(corrected, backend).valuations["status"].tolist() == ["error", "ok"]


def test_without_a_required_column_no_row_is_correctable(limits, contract, backend):
    table = read("key,size\na,-1\n", limits, contract)
    scored = value_table(table, backend)
    assert uncorrectable_rows(scored) == (1,)
    assert invalid_cells(table, scored, contract).empty


@given(
    st.dictionaries(
        st.tuples(st.integers(1, 4), st.sampled_from(["key", "size", "quarter", "grade", "note"])),
        st.text(max_size=8),
    )
)
def test_only_the_named_cells_change(limits, contract, new):
    table = read(TEXT, limits, contract)
    corrected = apply_edits(table, new, contract)
    for column in table.cells.columns:
        for row in range(1, 5):
            edit = new.get((row, column))
            for before, after in ((table.cells, corrected.cells), (table.rows, corrected.rows)):
                old = before[column].iloc[row - 1]
                assert after[column].iloc[row - 1] == (old if edit is None else edit)
    assert corrected.cells.dtypes.equals(table.cells.dtypes)
