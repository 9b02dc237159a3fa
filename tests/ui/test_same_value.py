"""The same given fields have the same value in the form, in a file and through the API."""

from __future__ import annotations

import csv
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import requests

from houseprice.api.app import create_app
from houseprice.backend.local import LocalBackend
from houseprice.market.validation import validate
from houseprice.model.store.store import ModelStore
from houseprice.model.training import ensure_model
from houseprice.settings import Settings
from houseprice.ui.house.state import (
    house_frame,
    link_parameters,
    raw_row,
    read_link,
    sale_fields,
)
from tests.loopback import served
from tests.ui.page import metrics, open_page

N_HOUSES = 200
COLUMNS = ["predicted_price", "price_low", "price_high", "confidence"]


HOSTILE = ("99", "nan", "inf", "1e999", "1e20", "9" * 400, "-1", "x" * 5000, "http://a.b", "=1+1")


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:10])
def test_a_link_says_no_field_wrongly_in_silence(market, text):
    contract = market.contract
    for name, field in contract.fields.items():
        given, messages = read_link({name: text}, contract)
        checked = validate(house_frame(raw_row(given, contract)), contract)
        problems = [each for each in checked.problems if each.field == name and each.read]
        if not messages and not problems:
            assert field.format(checked.houses[name][0]) == field.format(float(text))


@pytest.fixture(scope="module")
def backend(market, model_dir):
    return LocalBackend(ensure_model(market, ModelStore(model_dir)), market)


@pytest.fixture(scope="module")
def houses(market):
    """Random subsets of the fields of random sales, from none to all of them."""
    chance = np.random.default_rng(13)
    ids = chance.choice(market.ids.astype("str").to_numpy(), N_HOUSES, replace=False).tolist()
    houses = []
    for number, sale_id in enumerate(ids):
        given = sale_fields(market, sale_id)
        assert given is not None
        n_given = round(number / (N_HOUSES - 1) * len(given))
        chosen = set(chance.choice(list(given), n_given, replace=False).tolist())
        houses.append({column: text for column, text in given.items() if column in chosen})
    return houses


@pytest.fixture(scope="module")
def by_form(backend, market, houses):
    """The values of the form, one house at a time, each opened by its link."""
    contract = market.contract
    opened = [read_link(link_parameters(given, contract), contract)[0] for given in houses]
    assert opened == houses
    values = [backend.value(house_frame(raw_row(given, contract))).valuations for given in opened]
    return pd.concat(values, ignore_index=True)[COLUMNS]


def test_a_file_gives_the_values_of_the_form(by_form, market, houses, tmp_path):
    contract = market.contract
    source, result = tmp_path / "houses.csv", tmp_path / "valued.csv"
    with source.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, contract.columns)
        writer.writeheader()
        writer.writerows(
            {
                column: given.get(column, "unknown" if field.required else "")
                for column, field in contract.fields.items()
            }
            for given in houses
        )
    command = [sys.executable, "-m", "houseprice", "predict", source, "-o", result]
    subprocess.run(command, check=True, capture_output=True)
    by_file = pd.read_csv(result)[COLUMNS]
    # A file has amounts to the cent and the confidence to a tenth.
    difference = (by_file - by_form).abs().max()
    assert difference[:-1].max() < 0.0051
    assert difference["confidence"] < 0.0501


def test_the_api_gives_the_values_of_the_form(by_form, market, model_dir, houses):
    contract = market.contract
    unknown = {column: "unknown" for column, field in contract.fields.items() if field.required}
    app = create_app(Settings(model_dir=model_dir))
    with served(app) as port:
        rows = [unknown | given for given in houses]
        url = f"http://127.0.0.1:{port}/v1/valuations"
        answer = requests.post(url, json={"rows": rows}, timeout=60)
    by_api = pd.DataFrame(answer.json()["valuations"])[COLUMNS]
    assert (by_api - by_form).abs().max().max() < 0.005


@pytest.mark.parametrize("number", [2, 80, 199])
def test_the_page_shows_the_value_of_the_form(by_form, market, houses, number):
    page = open_page("pages/value/house.py", **link_parameters(houses[number], market.contract))
    shown = float(metrics(page)["Estimated value"].strip("$").replace(",", ""))
    assert shown == pytest.approx(by_form["predicted_price"].iloc[number], rel=0.02)
