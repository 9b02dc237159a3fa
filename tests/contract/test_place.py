"""What follows from coordinates is the same in this process, over HTTP and in a streamed file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
import requests

from houseprice.api.app import create_app
from houseprice.backend.local import LocalBackend
from houseprice.backend.remote.client import RemoteBackend
from houseprice.backend.remote.transport import Transport
from houseprice.market.geography import PLACE_MISMATCH
from houseprice.market.sales import load_market
from houseprice.model.store.store import ModelStore
from houseprice.model.training import ensure_model
from houseprice.settings import Settings
from tests.contract.test_parity import assert_same
from tests.loopback import served
from tests.towns import town_sales, write_town

ROLES = {
    "degrees": ("latitude", "longitude", "location", "area"),
    "metres": ("x", "y", "location"),
}


class Town(NamedTuple):
    local: LocalBackend
    remote: RemoteBackend
    url: str
    rows: pd.DataFrame


@pytest.fixture(scope="module", params=ROLES)
def town(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Town]:
    """A town with its server; one row has no place, and one a place that contradicts its point."""
    roles = ROLES[request.param]
    folder = tmp_path_factory.mktemp("town")
    market = load_market(write_town(folder / "town", roles))
    store = ModelStore(folder / "models")
    local = LocalBackend(ensure_model(market, store), market)
    rows = town_sales().head(6)[["rooms", "garden", *roles]].astype(str)
    rows.loc[0, "location"] = ""
    rows.loc[1, "location"] = next(
        name for name in ("Nord", "Mitte") if name != town_sales()["location"][1]
    )
    rows.loc[2, [*roles[:2]]] = "unknown"
    settings = Settings(market=str(folder / "town"), model_dir=store.folder, serve_rate=100_000)
    with served(create_app(settings)) as port:
        url = f"http://127.0.0.1:{port}"
        remote = RemoteBackend(Transport(Settings(api_url=url)), market.contract)
        yield Town(local, remote, url, rows)


def test_values_and_warnings_are_the_same_remotely(town: Town) -> None:
    ours, theirs = town.local.value(town.rows), town.remote.value(town.rows)
    assert_same(theirs, ours)
    codes = {(each.row, each.code) for each in ours.problems}
    assert {(1, "blank_follows"), (2, PLACE_MISMATCH)} <= codes
    assert ours.valuations["reason_codes"][1] == f"{PLACE_MISMATCH}:location"


def test_a_filled_place_has_the_value_of_the_given_one(town: Town) -> None:
    given = town.rows.assign(location=town_sales()["location"].head(6)).iloc[[0]]
    blank = town.rows.iloc[[0]]
    for backend in (town.local, town.remote):
        first, second = (backend.value(house).valuations for house in (given, blank))
        assert first["predicted_price"][0] == second["predicted_price"][0]
        assert first["price_low"][0] == second["price_low"][0]
        price = second["predicted_price"][0]
        assert backend.explain(blank).price == pytest.approx(price, abs=0.005)
        assert "location" not in backend.next_facts(blank)["field"].tolist()


def test_nearby_prices_are_the_same_remotely_and_in_json(town: Town) -> None:
    for row in (0, 1, 3):
        house = town.rows.iloc[[row]]
        ours = town.local.explain(house).nearby
        assert ours is not None
        assert ours == town.remote.explain(house).nearby
        assert ours.summary == town.remote.explain(house).nearby.summary
        body = {"rows": house.to_dict("records"), "explain": True}
        answer = requests.post(f"{town.url}/v1/valuations", json=body, timeout=60).json()
        assert answer["valuations"][0]["explanation"]["nearby"] == asdict(ours)


def test_a_place_is_explained_in_words(town: Town) -> None:
    house = town.rows.iloc[[0]]
    explanation = town.local.explain(house)
    steps = explanation.contributions
    total = explanation.base_price + steps["contribution"].sum()
    assert total == pytest.approx(explanation.price, abs=0.005)
    labels = tuple(f"{name.capitalize()}: " for name in town.rows.columns[2:4])
    texts = [*steps["sentence"], *town.local.comparables(house)["differences"]]
    texts += town.local.value(house, evidence=True).valuations["top_drivers"][0]
    assert not [part for text in texts for part in text.split("; ") if part.startswith(labels)]
    unknown = town.local.explain(town.rows.iloc[[2]]).contributions
    assert unknown["told"][unknown["label"] == "Place"].tolist() == ["not known"]


def test_nearby_prices_are_the_reason_of_a_place_only_where_they_agree_with_the_model(
    town: Town,
) -> None:
    agree = set()
    for _, house in town_sales()[["area", *town.rows.columns[2:4]]].head(40).iterrows():
        explanation = town.local.explain(house.to_frame().T)
        nearby, steps = explanation.nearby, explanation.contributions
        assert nearby is not None
        place = steps[steps["label"] == "Place"].iloc[0]
        is_reason = nearby.difference * place["contribution"] > 0
        reason = f"c{nearby.summary[1:-1]}" if is_reason else "this place"
        assert place["told"] == reason
        assert place["sentence"].startswith(f"Place: {reason}, ")
        agree.add(is_reason)
    assert agree == {True, False}


def test_without_a_point_the_explanation_is_as_before(town: Town) -> None:
    house = town.rows.iloc[[2]]
    assert town.local.explain(house).nearby is town.remote.explain(house).nearby is None
    body = {"rows": house.to_dict("records"), "explain": True}
    answer = requests.post(f"{town.url}/v1/valuations", json=body, timeout=60).json()
    assert answer["valuations"][0]["explanation"]["nearby"] is None


def test_a_streamed_file_has_the_warning(town: Town, tmp_path: Path) -> None:
    source, sink = tmp_path / "houses.csv", BytesIO()
    town.rows.to_csv(source, index=False)
    town.remote.value_csv(source, sink)
    sink.seek(0)
    result = pd.read_csv(sink, dtype=str, keep_default_na=False)
    assert result["reason_codes"].tolist() == (
        town.local.value(town.rows).valuations["reason_codes"].tolist()
    )
