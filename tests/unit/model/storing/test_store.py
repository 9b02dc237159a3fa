"""The store keeps what it was given, and opens nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import pandas as pd
import pytest

import houseprice
from houseprice.errors import StoreError
from houseprice.market.sales import Market
from houseprice.model.store.manifest import Manifest, installed_libraries
from houseprice.model.store.store import ModelStore, Version
from houseprice.model.store.versions import add_version
from houseprice.model.valuation import ValuationModel

METRICS = {"rmsle": 0.1, "median_ape": 0.05, "r2": float("nan")}
IMPORTANCE = pd.DataFrame(
    {
        "column": ["size", "NA", "grade"],
        "label": ["Floor area, all", "None", "«Güte»"],
        "importance_pct": [12.345678901234567, 0.1, float("nan")],
    }
)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "deep" / "models")


def save(store: ModelStore, market: Market, model: object = None) -> Version:
    kept = ValuationModel(market.contract) if model is None else model
    return store.save(kept, market, METRICS, IMPORTANCE)


def rewrite(store: ModelStore, name: str, **changes: object) -> None:
    """Change a manifest as one that this software wrote itself would be: with a right seal."""
    path = store.folder / name / "manifest.json"
    path.write_bytes(Manifest.read(path).model_copy(update=changes).to_json())


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.mark,)


def test_a_saved_model_comes_back_with_its_facts_and_values_houses_alike(
    store: ModelStore, hamlet: Market, valuer: ValuationModel
) -> None:
    version = save(store, hamlet, valuer)
    store.activate(version.name)
    loaded = store.load(contract=hamlet.contract)
    houses = hamlet.houses.tail(5)
    pd.testing.assert_frame_equal(loaded.model.value(houses), valuer.value(houses))
    pd.testing.assert_frame_equal(loaded.importance, IMPORTANCE)
    manifest = loaded.manifest
    assert manifest.model_version == version.name == f"hamlet-{houseprice.__version__}-1"
    assert manifest.libraries == installed_libraries()
    assert manifest.rows == len(hamlet.houses)
    assert manifest.contract_sha256 == hamlet.contract.sha256
    assert manifest.data_sha256 == hashlib.sha256(hamlet.sales_path.read_bytes()).hexdigest()
    assert manifest.market_title == "Hamlet"
    assert manifest.created_at.utcoffset() is not None


def test_each_version_has_a_card_of_its_own_that_names_it(
    store: ModelStore, hamlet: Market
) -> None:
    names = [save(store, hamlet).name for _ in range(2)]
    for name in names:
        card = store.load(name).card
        assert card.data["version"]["model_version"] == name
        assert name in card.markdown
        assert (store.folder / name / "card.md").read_text(encoding="utf-8") == card.markdown


def test_a_metric_without_a_number_is_left_out(store: ModelStore, hamlet: Market) -> None:
    manifest = save(store, hamlet).manifest
    assert manifest is not None
    assert manifest.metrics == {"rmsle": 0.1, "median_ape": 0.05}


@pytest.mark.skipif(os.name != "posix", reason="modes are those of Unix")
def test_only_the_owner_may_read_or_write_the_store(store: ModelStore, hamlet: Market) -> None:
    version = save(store, hamlet)
    store.activate(version.name)
    for path in (store.folder, *store.folder.rglob("*")):
        if path.suffix != ".lock":
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@pytest.mark.skipif(os.name != "posix", reason="modes are those of Unix")
def test_a_store_that_others_may_write_to_is_warned_of(
    store: ModelStore, hamlet: Market, caplog: pytest.LogCaptureFixture
) -> None:
    version = save(store, hamlet)
    store.folder.chmod(0o777)
    store.load(version.name)
    assert "chmod go-w" in caplog.text


def test_without_a_model_the_user_is_told_to_train_one(store: ModelStore) -> None:
    assert store.versions() == ()
    assert store.active() is None
    with pytest.raises(StoreError, match=r"There is no model in .* Train one: houseprice train"):
        store.load()


def test_each_market_has_its_own_active_version(
    store: ModelStore, hamlet: Market, market: Market
) -> None:
    for each in (hamlet, market):
        store.activate(save(store, each).name)
    assert store.load(contract=hamlet.contract).manifest.market_name == "hamlet"
    assert store.load(contract=market.contract).manifest.market_name == market.contract.market.name
    assert [version.active for version in store.versions()] == [True, True]


# Refusals


@pytest.mark.parametrize("file", ["model.joblib", "importance.csv", "card.json", "card.md"])
def test_one_changed_byte_is_refused(store: ModelStore, hamlet: Market, file: str) -> None:
    name = save(store, hamlet).name
    path = store.folder / name / file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreError, match=rf"{file} of model version {name} is damaged"):
        store.load(name)
    with pytest.raises(StoreError, match="damaged"):
        store.activate(name)


def test_a_file_put_in_place_of_the_model_is_not_unpickled(
    store: ModelStore, hamlet: Market, tmp_path: Path
) -> None:
    name, mark = save(store, hamlet).name, tmp_path / "was run"
    joblib.dump(Trap(mark), store.folder / name / "model.joblib")
    with pytest.raises(StoreError, match="was not opened"):
        store.load(name)
    assert not mark.exists()
    joblib.load(store.folder / name / "model.joblib")
    assert mark.exists()  # the trap works: it was the store that did not step on it


def test_a_changed_manifest_is_refused(store: ModelStore, hamlet: Market) -> None:
    name = save(store, hamlet).name
    path = store.folder / name / "manifest.json"
    path.write_text(path.read_text(encoding="utf-8").replace("0.05", "0.01"), encoding="utf-8")
    with pytest.raises(StoreError, match=rf"manifest of model version {name} .* changed"):
        store.load(name)
    assert store.versions()[0].error is not None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"manifest_sha256": 1}', "\0", '"x"'])
def test_a_manifest_that_is_none_is_refused(store: ModelStore, hamlet: Market, text: str) -> None:
    name = save(store, hamlet).name
    (store.folder / name / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match="manifest"):
        store.load(name)


def test_a_manifest_that_another_release_wrote_is_told_apart_from_a_damaged_one(
    store: ModelStore, hamlet: Market
) -> None:
    name = save(store, hamlet).name
    path = store.folder / name / "manifest.json"

    class Grown(Manifest):
        mood: str = "good"

    path.write_bytes(Grown(**Manifest.read(path).model_dump()).to_json())
    with pytest.raises(StoreError, match="a release of houseprice that keeps other facts"):
        store.load(name)


def test_a_manifest_of_another_version_is_refused(store: ModelStore, hamlet: Market) -> None:
    first, second = save(store, hamlet).name, save(store, hamlet).name
    manifest = (store.folder / first / "manifest.json").read_bytes()
    (store.folder / second / "manifest.json").write_bytes(manifest)
    with pytest.raises(StoreError, match=second):
        store.load(second)


@pytest.mark.parametrize(
    "file", ["model.joblib", "importance.csv", "card.json", "card.md", "manifest.json"]
)
def test_a_missing_file_is_told(store: ModelStore, hamlet: Market, file: str) -> None:
    name = save(store, hamlet).name
    (store.folder / name / file).unlink()
    with pytest.raises(StoreError, match=r"No such file.*houseprice train"):
        store.load(name)


@pytest.mark.parametrize(
    ("library", "other"),
    [("scikit-learn", "1.8.0"), ("numpy", "1.26.4"), ("pandas", "2.3.3"), ("python", "3.10.1")],
)
def test_a_model_of_another_library_version_is_refused_before_it_is_opened(
    store: ModelStore, hamlet: Market, library: str, other: str, tmp_path: Path
) -> None:
    name = save(store, hamlet, Trap(tmp_path / "was run")).name
    rewrite(store, name, libraries={**installed_libraries(), library: other})
    with pytest.raises(StoreError) as refused:
        store.load(name)
    sentence = str(refused.value)
    assert f"made with {library} {other}, and this is {library}" in sentence
    assert "houseprice train" in sentence
    assert store.versions()[0].error == sentence
    assert not (tmp_path / "was run").exists()


def test_a_patch_release_of_numpy_is_no_reason_to_refuse(store: ModelStore, hamlet: Market) -> None:
    name = save(store, hamlet).name
    here = installed_libraries()
    rewrite(store, name, libraries={**here, "numpy": here["numpy"].rsplit(".", 1)[0] + ".99"})
    assert store.load(name).manifest.model_version == name


def test_a_model_of_another_release_of_houseprice_is_refused(
    store: ModelStore, hamlet: Market
) -> None:
    name = save(store, hamlet).name
    rewrite(store, name, package_version="1.0.0")
    with pytest.raises(StoreError, match=r"with houseprice 1\.0\.0.*\(houseprice train\)"):
        store.load(name)


def test_a_model_of_other_code_of_the_same_release_is_refused(
    store: ModelStore, hamlet: Market
) -> None:
    name = save(store, hamlet).name
    rewrite(store, name, code_sha256="0" * 64)
    with pytest.raises(StoreError, match="another state of the code"):
        store.load(name)


def test_a_model_of_another_contract_is_refused(store: ModelStore, hamlet: Market) -> None:
    name = save(store, hamlet).name
    other = hamlet.contract.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(StoreError, match="trained on another contract"):
        store.load(name, contract=other)


def test_what_is_no_valuation_model_is_refused(store: ModelStore, hamlet: Market) -> None:
    name = save(store, hamlet, {"not": "a model"}).name
    with pytest.raises(StoreError, match="holds no valuation model"):
        store.load(name)


def test_a_model_whose_classes_are_gone_is_refused(store: ModelStore, hamlet: Market) -> None:
    describe = (store.folder / save(store, hamlet).name / "manifest.json").read_bytes
    files = {
        "model.joblib": b"cno_such_module\nThing\n.",
        "importance.csv": b"column\n",
        "golden.json": b"{}",
        "study.json": b"{}",
        "card.json": b"{}",
        "card.md": b"# Card\n",
    }
    manifest = Manifest.model_validate(
        {k: v for k, v in json.loads(describe()).items() if k != "manifest_sha256"}
        | {
            "model_version": f"hamlet-{houseprice.__version__}-9",
            "files": {
                name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
                for name, data in files.items()
            },
        }
    )
    add_version(store.folder, files, lambda _: (manifest, {}), 9)
    with pytest.raises(StoreError, match=r"can't be opened .*no_such_module"):
        store.load(manifest.model_version)


@pytest.mark.parametrize(
    "name",
    ["..", "../x-1-1", "/etc", "ames", "a-1-0", "x-0.1-1/..", "x-1-1\n", "", "a-1-" + "9" * 200],
)
def test_what_is_no_name_of_a_version_reaches_no_file(
    store: ModelStore, hamlet: Market, name: str
) -> None:
    save(store, hamlet)
    with pytest.raises(StoreError):
        store.load(name)
    with pytest.raises(StoreError):
        store.activate(name)


def test_a_version_outside_the_store_is_not_reached_by_a_path(
    store: ModelStore, hamlet: Market
) -> None:
    save(store, hamlet)
    stranger = ModelStore(store.folder.parent / "stranger")
    name = save(stranger, hamlet).name
    for path in (f"../stranger/{name}", str(stranger.folder / name)):
        with pytest.raises(StoreError, match="There is no model version"):
            store.load(path)


def test_a_folder_that_cannot_be_made_is_told_with_what_to_do(
    tmp_path: Path, hamlet: Market
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="HOUSEPRICE_MODEL_DIR"):
        save(ModelStore(tmp_path / "file" / "models"), hamlet)


# Which version answers


def test_versions_are_listed_with_the_oldest_first_and_count_up(
    store: ModelStore, hamlet: Market
) -> None:
    names = [save(store, hamlet).name for _ in range(11)]
    assert [name.rsplit("-", 1)[1] for name in names] == [str(n) for n in range(1, 12)]
    assert [version.name for version in store.versions()] == names


def test_a_number_is_not_given_again_after_a_version_was_deleted(
    store: ModelStore, hamlet: Market
) -> None:
    first = save(store, hamlet).name
    store.activate(first)
    for file in (store.folder / first).iterdir():
        file.unlink()
    (store.folder / first).rmdir()
    assert save(store, hamlet).name.endswith("-2")
    with pytest.raises(StoreError, match="There is no model version"):
        store.load()


def test_a_new_version_answers_only_when_it_is_activated(store: ModelStore, hamlet: Market) -> None:
    first = save(store, hamlet)
    assert not first.active
    assert store.active() is None
    store.activate(first.name)
    second = save(store, hamlet)
    assert store.active() == first.name
    store.activate(second.name)
    assert store.active() == second.name
    assert [version.active for version in store.versions()] == [False, True]


def test_rolling_back_goes_through_the_versions_in_the_order_they_were_active(
    store: ModelStore, hamlet: Market
) -> None:
    one, two, three = (save(store, hamlet).name for _ in range(3))
    for name in (two, one, one, three):
        store.activate(name)
    assert store.rollback() == one == store.active()
    assert store.rollback() == two == store.active()
    with pytest.raises(StoreError, match="none to go back to"):
        store.rollback()
    assert store.active() == two


def test_rolling_back_one_market_leaves_the_other_alone(
    store: ModelStore, hamlet: Market, market: Market
) -> None:
    first = save(store, hamlet).name
    store.activate(first)
    other = save(store, market).name
    store.activate(other)
    store.activate(save(store, hamlet).name)
    assert store.rollback("hamlet") == first
    assert store.active(market.contract.market.name) == other
    assert store.active("hamlet") == first


def test_a_version_that_was_damaged_since_is_not_rolled_back_to(
    store: ModelStore, hamlet: Market
) -> None:
    one, two = (save(store, hamlet).name for _ in range(2))
    for name in (one, two):
        store.activate(name)
    (store.folder / one / "model.joblib").write_bytes(b"")
    with pytest.raises(StoreError, match="damaged"):
        store.rollback()
    assert store.active() == two


def test_lines_of_the_active_file_that_name_no_version_are_passed_over(
    store: ModelStore, hamlet: Market
) -> None:
    name = save(store, hamlet).name
    store.activate(name)
    with (store.folder / "active").open("ab") as file:
        file.write(b"../../etc\n\xff\xfe\n\n")
    assert store.active() == name


# Kills and crowds

SAVE_FOREVER = """
import sys
from pathlib import Path
import pandas as pd
from houseprice.market.sales import load_market
from houseprice.model.store.store import ModelStore
from houseprice.model.valuation import ValuationModel
market = load_market(sys.argv[1])
store = ModelStore(Path(sys.argv[2]))
while True:
    model = ValuationModel(market.contract)
    version = store.save(model, market, {}, pd.DataFrame({"column": []}))
    store.activate(version.name)
    print(version.name, flush=True)
"""


def saver(store: ModelStore, market: Market, root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SAVE_FOREVER, str(market.folder), str(store.folder)],
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_a_kill_at_any_moment_leaves_a_store_that_can_be_used(
    store: ModelStore, hamlet: Market, root: Path
) -> None:
    with saver(store, hamlet, root) as one, saver(store, hamlet, root) as other:
        said = [pipe.readline() for _ in range(10) for pipe in (one.stdout, other.stdout) if pipe]
        for process in (one, other):
            process.send_signal(signal.SIGKILL)
        for process in (one, other):
            said += process.communicate()[0].splitlines(keepends=True)
    names = [line.strip() for line in said if line.endswith("\n")]
    assert len(names) >= 20
    assert len(set(names)) == len(names)  # two processes never share a name
    assert set(names) <= {version.name for version in store.versions()}
    assert [version.error for version in store.versions() if version.error] == []
    for version in store.versions():
        store.load(version.name)
    assert store.load(contract=hamlet.contract).manifest.model_version == store.active()
    store.activate(save(store, hamlet).name)


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_a_kill_between_the_files_and_the_rename_leaves_the_old_version_answering(
    store: ModelStore, hamlet: Market, root: Path
) -> None:
    old = save(store, hamlet).name
    store.activate(old)
    code = """if True:
        import os, signal, sys
        from pathlib import Path
        from houseprice.model.store.versions import add_version
        kill = lambda number: os.kill(os.getpid(), signal.SIGKILL)
        add_version(Path(sys.argv[1]), {"model.joblib": b"half"}, kill, 2)
    """
    killed = subprocess.run(
        [sys.executable, "-c", code, str(store.folder)], cwd=root, check=False
    ).returncode
    assert killed == -signal.SIGKILL
    (left_over,) = store.folder.glob(".saving-*")
    assert (left_over / "model.joblib").read_bytes() == b"half"
    assert [version.name for version in store.versions()] == [old]
    assert store.load().manifest.model_version == old

    save(store, hamlet)
    assert left_over.exists()  # it might be somebody's who is still at it
    two_hours_ago = left_over.stat().st_mtime - 7200
    os.utime(left_over, (two_hours_ago, two_hours_ago))
    save(store, hamlet)
    assert not left_over.exists()


def test_a_save_that_fails_leaves_nothing_behind(store: ModelStore, hamlet: Market) -> None:
    save(store, hamlet)
    before = sorted(store.folder.iterdir())

    def fail(number: int) -> tuple[Manifest, dict[str, bytes]]:
        raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError, match="disk on fire"):
        add_version(store.folder, {"model.joblib": b"half"}, fail, 2)
    assert sorted(store.folder.iterdir()) == before


def test_threads_that_save_and_activate_at_once_lose_nothing(
    store: ModelStore, hamlet: Market
) -> None:
    def work(_: int) -> str:
        name = save(store, hamlet).name
        store.activate(name)
        return name

    with ThreadPoolExecutor(8) as threads:
        names = list(threads.map(work, range(16)))
    assert len(set(names)) == 16
    history = (store.folder / "active").read_text(encoding="utf-8").split()
    assert sorted(history) == sorted(names)
