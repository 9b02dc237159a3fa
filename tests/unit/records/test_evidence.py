"""The evidence pack."""

import zipfile
from datetime import UTC, date, datetime
from io import BytesIO

import pandas as pd
import pytest

from houseprice.market.sales import load_market
from houseprice.model.store.store import ModelStore
from houseprice.records import outcomes
from houseprice.records.evidence import Period, collect
from houseprice.records.evidence_page import (
    MAX_SHOWN_ROWS,
    PAGE,
    Evidence,
    EvidenceTable,
    Section,
)
from houseprice.records.people import detail_text
from houseprice.records.reviews import add_review, draw_sample
from houseprice.records.valuations import OwnTexts
from tests.hamlet import write_hamlet
from tests.unit.records.conftest import ANNE, BEN

N = 40
YEAR = Period(date(2021, 1, 1), datetime.now(UTC).date())


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    return load_market(str(write_hamlet(tmp_path_factory.mktemp("town") / "hamlet")))


def make_year(database, save_prices) -> None:
    """Save valuations whose houses are sold later, one of them with markup in its reference."""
    texts = [OwnTexts(f"<b>file {i}</b>", "leaks", "1 Main Street") for i in range(N)]
    given = datetime(2021, 2, 1, tzinfo=UTC)
    save_prices([1e5 + 1_000 * i for i in range(N)], texts=texts, valued_at=given)
    sales = pd.DataFrame(
        {
            "reference": [own.reference for own in texts],
            "sold_on": date(2021, 6, 1),
            "price": [1.02e5 + 1_000 * i for i in range(N)],
        }
    )
    outcomes.add(database, ANNE, sales)
    sample = draw_sample(database, BEN, 2, seed=1)
    add_review(database, BEN, sample.valuations[0], "agree")
    add_review(database, BEN, sample.valuations[1], "too_low", "<script>alert(1)</script>")


def test_the_pack_answers_the_five_points_and_has_the_tables(
    database, save_prices, market, tmp_path
):
    make_year(database, save_prices)
    attributes = pd.DataFrame({"area": ["N"], "income": ["low"]})
    pack = collect(database, market, ModelStore(tmp_path / "models"), YEAR, attributes)
    answers = {title: text for title, text, _ in pack.answers}
    assert "100.0 % of 40 saved requests got a value" in answers["Confidence in the estimates"]
    assert "No record was changed" in answers["Protection against manipulation of data"]
    assert "agrees with 1 of them" in answers["Random sample testing and reviews"]
    assert "No group can be compared" in answers["Nondiscrimination"]
    files = pack.files()
    page = files[PAGE].decode()
    for section in pack.sections:
        assert f'id="{section.key}"' in page
    for table in pack.tables:
        assert f"tables/{table.name}.csv" in page
        assert f"tables/{table.name}.csv" in files
    pairs = pd.read_csv(BytesIO(files["tables/pairs.csv"]))
    assert len(pairs) == N
    with zipfile.ZipFile(BytesIO(pack.to_zip())) as archive:
        assert set(archive.namelist()) == set(files)


def test_the_pack_has_nothing_personal_and_runs_nothing(database, save_prices, market, tmp_path):
    make_year(database, save_prices)
    files = collect(database, market, ModelStore(tmp_path / "models"), YEAR).files()
    for content in files.values():
        for personal in (b"file 1", b"leaks", b"main street", b"alert(1)"):
            assert personal not in content.lower()
    assert b"default-src 'none'" in files[PAGE]
    assert b"<script" not in files[PAGE]


def test_a_version_that_is_not_in_the_store_and_a_broken_chain_are_named(
    database, save_prices, market, tmp_path
):
    make_year(database, save_prices)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE valuations SET predicted_price = 1 WHERE entry = 3")
    page = collect(database, market, ModelStore(tmp_path / "models"), YEAR).files()[PAGE].decode()
    assert "Not in this store, and not described here: hamlet-1." in page
    assert "1 fault: the records of this pack can&#39;t be relied on." in page
    assert "Entry 3 (valuations): it was changed." in page


def test_a_period_without_records_has_a_pack_that_says_so(database, market, tmp_path):
    pack = collect(database, market, ModelStore(tmp_path / "models"), YEAR)
    page = pack.files()[PAGE].decode()
    assert "No valuation is saved yet." in page
    assert "No valuation was reviewed in this period" in page


def test_a_table_says_on_the_page_that_it_is_cut_and_repeats_its_head_in_print():
    groups = pd.DataFrame({"Group": [f"area {i}" for i in range(MAX_SHOWN_ROWS + 2)]})
    table = EvidenceTable("groups", "Groups", groups, groups)
    page = Evidence("Pack", "", (), (Section("s", "Section", [], [table]),)).files()[PAGE].decode()
    assert f"Groups (the first {MAX_SHOWN_ROWS} of {len(groups)} rows)" in page
    assert '<thead><tr><th class="">Group</th></tr></thead>' in page
    assert page.count("<tr>") == 2 + MAX_SHOWN_ROWS


def test_an_event_is_a_line_without_its_empty_parts():
    detail = {"n_eligible": 40, "since": None, "valuations": [3, 1, 4, 1, 5], "seed": 0}
    assert detail_text(detail) == "eligible 40, valuations 3, 1, 4 and 2 more, seed 0"
