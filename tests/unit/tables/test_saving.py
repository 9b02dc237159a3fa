"""Rows of a table are saved once each, before their chunk of the result is finished."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from houseprice.errors import InputError, RecordsError
from houseprice.records.database import Database, parse_url
from houseprice.records.ledger import Author
from houseprice.records.valuations import count, listing
from houseprice.settings import Settings
from houseprice.tables.parallel import FileOptions, value_to_file
from houseprice.tables.reader import open_csv
from houseprice.tables.saving import SaveOptions, TableSaver
from houseprice.tables.table import read_header

ANNE = Author("anne", "hamlet", "command")
VALUED_AT = datetime(2021, 5, 6, 7, 8, 9, tzinfo=UTC)
TEXT = """Ref.;size;quarter;Street;why
A 1;19,5;N;1, Mill Lane;x
A 2;-5;N;;
A 3;90;N
A 4;80;S;4 Mill Lane;
"""


@pytest.fixture
def database(tmp_path):
    return Database.at(parse_url(f"sqlite:///{tmp_path}/records.sqlite"))


def value(tmp_path, backend, database, **options):
    """Value the table in chunks of three rows, and save them."""
    path, saver = tmp_path / "homes.csv", TableSaver(database, ANNE)
    path.write_text(TEXT, encoding="utf-8")
    with open_csv(path, path.name, Settings(), backend.contract) as source:
        save = SaveOptions.of(source.layout.header, backend.contract, note="our houses")
        chosen = FileOptions(rows=3, save=save, saver=saver, **options)
        value_to_file(source, path, tmp_path / "out.csv", backend, chosen)
    return saver


def test_every_row_is_saved_as_it_was_valued(tmp_path, backend, database):
    assert value(tmp_path, backend, database, as_of=date(2020, 6, 1)).n_saved == 4
    saved = listing(database, "hamlet").iloc[::-1].reset_index()
    assert saved["reference"].tolist() == ["A 1", "A 2", "A 3", "A 4"]
    assert saved["address"].tolist()[::3] == ["1 mill lane", "4 mill lane"]
    assert saved["status"].tolist() == ["ok", "error", "error", "ok"]
    assert saved["predicted_price"].tolist()[::3] == [19502.44, 80010.0]
    assert saved["facts"][0] == '{"quarter":"N","size":"19.5"}'
    assert set(saved["as_of"]) == {date(2020, 6, 1)}
    assert set(saved["note"]) == {"our houses"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, ("Case", "Property address")), ("why ", ("why", "Property address")),
     ("Floor area", ("size", "Property address"))],
)  # fmt: skip
def test_the_columns_to_save_are_the_named_one_and_those_with_a_usual_name(
    contract, given, expected
):
    header = read_header(["why", "Floor area", "Property address", "Case"], "homes", contract)
    options = SaveOptions.of(header, contract, reference=given)
    assert (options.reference, options.address) == expected


def test_a_column_that_is_missing_is_named_with_those_that_exist(contract):
    header = read_header(["size", "why"], "homes", contract)
    with pytest.raises(InputError, match="no column file to take references from, only size, why"):
        SaveOptions.of(header, contract, reference="file")


def test_rows_that_were_saved_before_a_run_ended_are_not_saved_again(database, contract):
    rows = [{"status": "ok", "reason_codes": "", "model_version": "1", "valued_at": VALUED_AT}] * 7
    first = TableSaver(database, ANNE)
    first.resume(VALUED_AT, 0)
    first.add(rows[:3])
    first.add(rows[3:6])
    again = TableSaver(database, ANNE)
    again.resume(VALUED_AT, 3)  # the second chunk was saved, and is not among the finished ones
    again.add(rows[3:6])
    again.add(rows[6:])
    assert (again.n_saved, count(database, "hamlet")) == (7, 7)
    with pytest.raises(RecordsError, match="7 of the 9 rows"):
        TableSaver(database, ANNE).resume(VALUED_AT, 9)


def test_without_the_database_there_is_no_result(tmp_path, backend, database):
    with database.write() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON valuations WHEN NEW.entry > 3 "
            "BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END"
        )
    with pytest.raises(RecordsError, match=r"disk is full.*The 3 rows before are saved"):
        value(tmp_path, backend, database)
    assert not (tmp_path / "out.csv").exists()
    assert count(database, "hamlet") == 3
