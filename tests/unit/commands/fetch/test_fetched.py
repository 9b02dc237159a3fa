"""``houseprice fetch`` through Kaggle's own client creates a market folder."""

import json

import pytest

from houseprice.market.sales import load_market
from tests.fetching import COMPETITION
from tests.kaggle_server import KEY, USER, zipped

pytestmark = pytest.mark.usefixtures("fresh_logs")


def test_a_market_is_fetched_into_a_folder_of_its_name(run, working_folder, site, hamlet):
    result = run("fetch")
    folder = working_folder / "hamlet-kaggle"
    assert result.code == 0
    assert result.out == f"{folder}: Hamlet, 150 sales and 20 houses to value\n"
    assert result.err.splitlines()[-2:] == [
        "Now train on them:",
        f"    HOUSEPRICE_MARKET={folder} houseprice train",
    ]
    for name in ("market.toml", "sales.csv", "to_value.csv"):
        assert (folder / name).read_bytes() == (hamlet / name).read_bytes()
    assert len(load_market(folder).houses) == 150
    assert [path.name for path in working_folder.rglob("*")] == [
        "hamlet-kaggle",
        *(path.name for path in folder.iterdir()),
    ]


def test_a_fetched_market_can_be_trained_on(run, working_folder, tmp_path, monkeypatch):
    fetched = run("fetch", "-o", "town", "--quiet")
    assert (fetched.code, fetched.err, fetched.out.count("\n")) == (0, "", 1)
    monkeypatch.setenv("HOUSEPRICE_MARKET", str(working_folder / "town"))
    monkeypatch.setenv("HOUSEPRICE_MODEL_DIR", str(tmp_path / "models"))
    trained = run("train", "--quiet", "--json")
    assert trained.code == 0
    assert json.loads(trained.out)["rows"] == 150


def test_the_fetched_embedded_market_equals_the_packaged_one(
    run, working_folder, site, market, monkeypatch
):
    monkeypatch.delenv("HOUSEPRICE_MARKET")
    site.competition = "house-prices-advanced-regression-techniques"
    site.files = {
        "train.csv": market.sales_path.read_bytes(),
        "test.csv": market.sample_path.read_bytes(),
    }
    assert run("fetch", "-o", "town").code == 0
    fetched = load_market(working_folder / "town")
    assert fetched.contract == market.contract
    assert fetched.houses.equals(market.houses)
    assert fetched.prices.equals(market.prices)


def test_only_kaggle_and_its_storage_are_contacted(run, site):
    assert run("fetch").code == 0
    assert set(site.tunnels) == {"api.kaggle.com:443", "storage.googleapis.com:443"}
    api = "POST api.kaggle.com/v1/competitions.CompetitionApiService/DownloadDataFile"
    storage = "GET storage.googleapis.com/kaggle-competitions"
    assert site.asked == [api, f"{storage}/train.csv", api, f"{storage}/test.csv"]


def test_nothing_is_written_to_the_home(run, tmp_path, monkeypatch):
    monkeypatch.setenv("KAGGLE_LOGGING_ENABLED", "true")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "home" / "cache"))
    assert run("fetch").code == 0
    assert list((tmp_path / "home").iterdir()) == []


def test_the_result_can_be_printed_as_json(run, working_folder):
    result = json.loads(run("fetch", "-o", "my town", "--json").out)
    assert result["folder"] == str(working_folder / "my town")
    assert (result["market"], result["competition"]) == ("hamlet", COMPETITION)
    sales, sample = result["files"]
    assert (sales["name"], sales["came_as"], sales["rows"]) == ("sales.csv", "train.csv", 150)
    assert (sample["name"], sample["came_as"], sample["rows"]) == ("to_value.csv", "test.csv", 20)
    assert len(sales["sha256"]) == 64
    assert result["next"] == f"HOUSEPRICE_MARKET='{working_folder / 'my town'}' houseprice train"


def test_archives_are_extracted(run, working_folder, site, hamlet):
    site.zips = True
    site.files = {name: zipped(**{name: data}) for name, data in site.files.items()}
    assert run("fetch").code == 0
    sales = working_folder / "hamlet-kaggle" / "sales.csv"
    assert sales.read_bytes() == (hamlet / "sales.csv").read_bytes()


@pytest.mark.parametrize("where", ["variable", "file"])
def test_credentials_may_be_a_token_or_a_file(run, where, tmp_path, site, monkeypatch):
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name)
    if where == "variable":
        site.tokens.add("a-token")
        monkeypatch.setenv("KAGGLE_API_TOKEN", "a-token")
    else:
        (tmp_path / "home" / ".kaggle").mkdir()
        file = tmp_path / "home" / ".kaggle" / "kaggle.json"
        file.write_text(json.dumps({"username": USER, "key": KEY}))
    assert run("fetch").code == 0


def test_an_existing_folder_is_replaced_only_with_force_and_valid_files(
    run, working_folder, site, hamlet
):
    assert run("fetch").code == 0
    sales = working_folder / "hamlet-kaggle" / "sales.csv"
    sales.write_text("mine")
    n_requests = len(site.asked)
    again = run("fetch")
    assert (again.code, len(site.asked)) == (1, n_requests)
    assert "hamlet-kaggle exists already" in again.err
    complete, site.files["train.csv"] = site.files["train.csv"], b"half"
    assert run("fetch", "--force").code == 1
    assert sales.read_text() == "mine"
    site.files["train.csv"] = complete
    assert run("fetch", "--force").code == 0
    assert sales.read_bytes() == complete
    assert [path.name for path in working_folder.iterdir()] == ["hamlet-kaggle"]
