"""Write the evidence pack of a made-up year: ``python benchmarks/evidence.py -o FOLDER``.

A model of the Ames sales of 2006 to 2009 values each house that was sold in 2010, as of the month
before its sale; the prices of 2010 are the outcomes. Twenty of the values are reviewed by a rule:
the reviewer knows the price, and disagrees where it is outside the range. The clock of the records
is moved to those days (time-machine, of the extra ``benchmark``).
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pandas as pd
import time_machine

from houseprice.backend.base import Backend
from houseprice.backend.local import LocalBackend
from houseprice.market.sales import Market, load_market, read_rows
from houseprice.model.store.store import ModelStore
from houseprice.model.training import train
from houseprice.records.alarms import (
    Alarm,
    accuracy_alarms,
    known_alarms,
    record_alarms,
    respond,
)
from houseprice.records.database import Database, parse_url
from houseprice.records.evidence import Period, collect
from houseprice.records.ledger import Author
from houseprice.records.outcomes import add, pairs
from houseprice.records.people import set_role
from houseprice.records.reviews import Verdict, add_review, draw_sample, open_reviews
from houseprice.records.track_record import expected_accuracies
from houseprice.records.valuations import OwnTexts, save

FIRST, LAST = date(2009, 12, 31), date(2010, 7, 31)
N_REVIEWS = 20


def market_until_2009(folder: Path) -> Market:
    """Copy the embedded market without its sales of 2010."""
    ames = load_market()
    shutil.copytree(ames.folder, folder)
    contract = folder / "market.toml"
    text = contract.read_text(encoding="utf-8")
    text = re.sub(r"as_of = \S+", "as_of = 2009-12-31", text)
    contract.write_text(text.replace("to July 2010", "to December 2009"), encoding="utf-8")
    rows = read_rows(ames.sales_path)
    rows[rows["YrSold"] != "2010"].to_csv(folder / ames.sales_path.name, index=False)
    return load_market(str(folder))


def value_2010(
    database: Database, backend: Backend, market: Market, clock: time_machine.Traveller
) -> pd.DataFrame:
    """Save the value of each house on the last day before its month; return the sales of 2010."""
    sales = read_rows(load_market().sales_path)
    sales = sales[sales["YrSold"] == "2010"].sort_values("MoSold", key=lambda s: s.astype(int))
    contract = market.contract
    for month, sold in sales.groupby(sales["MoSold"].astype(int)):
        day = date(2010, int(month), 1) - timedelta(days=1)
        clock.move_to(datetime.combine(day, time(12), UTC))
        houses = sold.drop(columns=contract.market.price.column).reset_index(drop=True)
        houses = houses.assign(YrSold=str(day.year), MoSold=str(day.month))
        texts = [OwnTexts(f"file {number}") for number in houses[contract.market.id]]
        save(
            database,
            Author("office", contract.market.name, "command"),
            houses,
            backend.value(houses),
            backend.info(),
            contract,
            texts=texts,
        )
    clock.move_to(datetime.combine(LAST, time(12), UTC))
    return pd.DataFrame(
        {
            "reference": "file " + sales[contract.market.id],
            "sold_on": [date(2010, int(month), 15) for month in sales["MoSold"]],
            "price": sales[contract.market.price.column].astype(float),
        }
    )


def review(database: Database, sales: pd.DataFrame, market: str) -> None:
    """Draw a sample, and review it: the value is too high or too low if the price is outside."""
    author = Author("reviewer", market, "command")
    prices = dict(zip(sales["reference"], sales["price"], strict=True))
    sample = draw_sample(database, author, N_REVIEWS, seed=2010, since=FIRST, until=LAST)
    for house in open_reviews(database, market, sample=sample.number).itertuples():
        price = prices[house.reference]
        verdict: Verdict = "agree"
        if not house.price_low <= price <= house.price_high:
            verdict = "too_high" if house.predicted_price > price else "too_low"
        reason = "" if verdict == "agree" else f"sold for {price:,.0f}"
        add_review(database, author, house.valuation, verdict, reason, sample=sample.number)


def attributes_of_areas(market: Market) -> pd.DataFrame:
    """Return an attribute of each area: whether half of its sales were built before 1970."""
    rows, location = read_rows(market.sales_path), market.contract.market.roles.location
    is_old = rows["YearBuilt"].astype(int).lt(1970).groupby(rows[location]).mean() > 0.5
    texts = is_old.map({True: "before 1970", False: "1970 or later"})
    return texts.rename("half of the sales built").rename_axis("area").reset_index()


def answer_alarms(database: Database, author: Author, record: list[Alarm]) -> None:
    """Put the alarms on record, and an answer to each."""
    record_alarms(database, author, record)
    for number in known_alarms(database, author.market)["entry"]:
        respond(database, author, int(number), "Looked at; the sales of 2010 are to be added.")


def main() -> None:
    """Make the year and write the pack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("evidence"))
    folder = parser.parse_args().output
    with tempfile.TemporaryDirectory() as name, time_machine.travel(FIRST) as clock:
        market = market_until_2009(Path(name) / "ames")
        town = market.contract.market.name
        database = Database.at(parse_url(f"sqlite:///{name}/records.sqlite"))
        store = ModelStore(Path(name) / "models")
        backend = LocalBackend(store.load(train(market, store).name), market, store)
        owner = Author("owner", town, "command")
        set_role(database, owner, "reviewer", "owner")
        sales = value_2010(database, backend, market, clock)
        add(database, owner, sales)
        review(database, sales, town)
        found = pairs(database, town)
        answer_alarms(database, owner, accuracy_alarms(found, expected_accuracies(backend)[0]))
        evidence = collect(
            database, market, store, Period(FIRST, LAST), attributes_of_areas(market)
        )
        for path in evidence.write(folder):
            print(path)
        database.engine.dispose()


if __name__ == "__main__":
    main()
