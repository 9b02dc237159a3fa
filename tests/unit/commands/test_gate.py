"""``houseprice evaluate --gate``: a worse model is not deployed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from houseprice.errors import StoreError
from houseprice.market.sales import load_market, read_rows
from houseprice.model.gate import find_champion
from houseprice.model.store.store import ModelStore
from houseprice.model.training import train
from tests.hamlet import CONTRACT, write_hamlet

pytestmark = pytest.mark.usefixtures("fresh_logs")

ALL = ("evaluate", "--gate", "--folds", "2", "--repeats", "1")
GATE = """
[gate.limits]
rmsle = { at_most = 0.15 }
coverage_90 = { at_least = 0.8, at_most = 0.99 }
"""
WIDE = "\n[gate.limits]\nrmsle = { at_most = 5 }\n"


def shuffle(folder: Path, columns: list[str]) -> None:
    """Permute these columns among the sales."""
    sales = read_rows(folder / "sales.csv")
    order = np.random.default_rng(3).permutation(len(sales))
    sales[columns] = sales[columns].to_numpy()[order]
    sales.to_csv(folder / "sales.csv", index=False)


@pytest.fixture
def hamlet(tmp_path, monkeypatch):
    """A market with a gate; its models are next to it."""
    folder = write_hamlet(tmp_path / "hamlet", CONTRACT + GATE, n_sales=120)
    monkeypatch.setenv("HOUSEPRICE_MARKET", str(folder))
    monkeypatch.setenv("HOUSEPRICE_MODEL_DIR", str(tmp_path / "models"))
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder and the version of a model of the unchanged market."""
    place = tmp_path_factory.mktemp("trained")
    market = load_market(write_hamlet(place / "hamlet", CONTRACT + WIDE, n_sales=120))
    return place / "models", train(market, ModelStore(place / "models")).name


def test_an_accurate_model_passes_without_another_one_to_compare_with(run, hamlet):
    result = run(*ALL, "--json")
    assert result.code == 0
    gate = json.loads(result.out)["gate"]
    assert gate["held"] is True
    assert [each["figure"] for each in gate["conditions"]] == ["rmsle", "coverage_90"]
    assert all(each["held"] for each in gate["conditions"])
    assert gate["version_in_use"]["version"] is None
    assert "The active model: No other version was in use." in result.err
    assert "The gate passed" in result.err


@pytest.fixture
def version(hamlet, trained, monkeypatch):
    """The active version of a model of the unchanged market, whose gate is the same."""
    models, name = trained
    monkeypatch.setenv("HOUSEPRICE_MODEL_DIR", str(models))
    (hamlet / "market.toml").write_text(CONTRACT + WIDE, encoding="utf-8")
    return name


def test_a_model_of_shuffled_prices_fails_with_a_table(run, hamlet):
    shuffle(hamlet, ["paid"])
    result = run(*ALL)
    assert result.code == 1
    table = result.out[result.out.index("The gate") :]
    row = next(line for line in table.splitlines() if "(RMSLE)" in line)
    assert "at most 0.1500" in row
    assert row.endswith("NO")
    assert "80.0 % to 99.0 %" in table
    assert "nothing to compare with" in table
    assert "The gate failed: do not deploy this model." in result.err


def test_a_model_that_is_worse_than_the_active_one_fails(run, hamlet, version):
    shuffle(hamlet, ["size", "grade", "quarter"])
    result = run(*ALL, "--json")
    assert result.code == 1
    gate = json.loads(result.out)["gate"]
    assert [each["held"] for each in gate["conditions"]] == [True]
    comparison = gate["version_in_use"]
    assert (comparison["version"], comparison["held"]) == (version, False)
    assert comparison["sales"] == 120
    assert comparison["difference"] > comparison["low"] > comparison["worse_by"] == 0.0


def test_the_same_model_is_compared_on_request_and_passes(run, hamlet, version):
    result = run(*ALL, "--against", version)
    assert result.code == 0
    assert f"Mean error minus that of {version}, 120 sales" in result.out
    assert "+0.00 (" in result.out

    # By default it is the model that this code trains on these sales, and there is no other.
    by_default = run(*ALL, "--json")
    assert json.loads(by_default.out)["gate"]["version_in_use"]["version"] is None


def test_a_version_of_other_sales_is_compared_only_on_request(run, hamlet, version):
    sales = read_rows(hamlet / "sales.csv")
    sales.assign(key=[f"new {number}" for number in range(len(sales))]).to_csv(
        hamlet / "sales.csv", index=False
    )
    result = run(*ALL)
    assert result.code == 0
    assert "It shares 0 of these sales at their prices, too few to compare." in result.err

    requested = run(*ALL, "--against", version)
    assert requested.code == 1
    assert f"{version} can't be compared with. It shares 0 of these sales" in requested.err


def test_a_version_without_held_out_values_is_compared_only_on_request(hamlet, trained, tmp_path):
    models, version = trained
    store = ModelStore(shutil.copytree(models, tmp_path / "models"))
    (store.folder / version / "held_out.json").unlink()
    market = load_market(hamlet)  # its gate is another, so that the version is no longer its own
    champion = find_champion(market, store, None)
    assert (champion.version, champion.held_out) == (version, None)
    assert champion.note.startswith("It can't be compared with: held_out.json")
    with pytest.raises(StoreError):
        find_champion(market, store, version)


def test_invalid_gates_and_versions_are_errors_before_the_work(run, hamlet):
    unknown = run(*ALL, "--against", "hamlet-0.1.0-9")
    assert unknown.code == 1
    assert "There is no model version 'hamlet-0.1.0-9'" in unknown.err

    (hamlet / "market.toml").write_text(CONTRACT + GATE.replace("rmsle", "rmsel"), encoding="utf-8")
    misspelt = run(*ALL)
    assert misspelt.code == 1
    assert "gate.limits.rmsel: is not a metric of the evaluation" in misspelt.err


def test_a_market_without_limits_is_held_to_the_best_baseline(run, hamlet):
    (hamlet / "market.toml").write_text(CONTRACT, encoding="utf-8")
    result = run(*ALL, "--json")
    assert result.code == 0
    found = json.loads(result.out)
    rmsle, median_ape, coverage = found["gate"]["conditions"]
    for condition in (rmsle, median_ape):
        best = min(metrics[condition["figure"]] for metrics in found["baselines"].values())
        assert condition["at_most"] == best > condition["found"]
    assert (coverage["figure"], coverage["held"]) == ("coverage_90", True)
    assert 0.9 - coverage["at_least"] == pytest.approx(3 * (0.09 / 120) ** 0.5)


def test_conflicting_options_are_usage_errors(run, hamlet):
    assert run("evaluate", "--against", "hamlet-0.1.0-1").code == 2
    assert run("evaluate", "--gate", "--data", hamlet / "sales.csv").code == 2
