"""A market without any of the roles trains, values, explains and reports."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient

from houseprice.api.app import create_app
from houseprice.api.engine import Engine
from houseprice.backend.local import LocalBackend
from houseprice.commands.report_tables import report_text
from houseprice.market.sales import load_market
from houseprice.model.evaluation import cross_validate
from houseprice.model.report import build_report
from houseprice.model.store.store import ModelStore
from houseprice.model.training import ensure_model
from houseprice.settings import Settings
from tests.towns import ROLE_SETS, write_town


def _date(rows: pd.DataFrame) -> dict[str, str]:
    """Return the date of sale of the first house as cells."""
    dated = [name for name in rows.columns if name.startswith("sale_")]
    return {str(name): value for name, value in rows[dated].iloc[0].items()}


@pytest.mark.parametrize("roles", ROLE_SETS[::2], ids=lambda roles: "+".join(roles) or "none")
def test_every_set_of_roles_does(tmp_path: Path, roles: Collection[str]) -> None:
    folder = write_town(tmp_path / "town", roles)
    market, store = load_market(folder), ModelStore(tmp_path / "models")
    contract = market.contract
    backend = LocalBackend(ensure_model(market, store), market)
    rows = contract.with_codes(market.houses.iloc[:3]).astype(str)

    values = backend.value(rows, evidence=True).valuations
    assert values["predicted_price"].between(values["price_low"], values["price_high"]).all()
    house = rows.iloc[[0]]
    explanation = backend.explain(house)
    total = explanation.base_price + explanation.contributions["contribution"].sum()
    assert total == pytest.approx(values["predicted_price"][0])
    comparables = backend.comparables(house, 3)
    assert len(comparables) == 3
    assert comparables["price_per_area"].notna().all() == ("area" in roles)
    assert (comparables["sold"] != "").all() == any(role.startswith("sale_") for role in roles)
    assert np.isfinite(backend.effect("rooms", house)["price"]).all()
    assert len(backend.next_facts(house.assign(rooms="unknown"))) <= 1
    assert "None" not in backend.card().markdown

    report = build_report(cross_validate(market, 3, 1), market.houses, contract)
    assert report_text(report, contract)
    assert bool(len(report.by_location)) == ("location" in roles)

    settings = Settings(market=str(folder), model_dir=store.folder)
    with TestClient(
        create_app(settings, Engine(settings, market)), base_url="http://localhost"
    ) as api:
        answer = api.post("/v1/valuations", json={"rows": rows.to_dict("records"), "explain": True})
        assert answer.status_code == 200
        assert (answer.json()["as_of"] is not None) == (market.sold is not None)
        later = {"rows": [{"rooms": 4}, {"rooms": 4, **_date(rows)}], "as_of": "2014-06-30"}
        answer = api.post("/v1/valuations", json=later)
        if market.sold is None:
            assert answer.status_code == 422
            assert answer.json()["field"] == "as_of"
        else:
            given, own = (each["as_of"] for each in answer.json()["valuations"])
            assert given == "2014-06-30"
            assert own[:4] == str(int(market.sold[0]))
        assert api.get("/openapi.json").status_code == 200
        assert api.get("/v1/market").status_code == 200
