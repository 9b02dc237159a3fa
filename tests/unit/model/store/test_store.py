"""The store returns what was saved, and loads nothing else."""

import hashlib
import os
import pickle
import shutil
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import joblib
import pandas as pd
import pytest

import houseprice
from houseprice.errors import StoreError
from houseprice.market.sales import Market
from houseprice.model.store.manifest import Manifest, file_entry, installed_libraries
from houseprice.model.store.store import ModelStore
from houseprice.model.store.versions import add_version
from houseprice.model.training import train
from tests.stored_models import IMPORTANCE, Trap, manifest_path, rewrite_manifest, save

POSIX = pytest.mark.skipif(os.name != "posix", reason="modes and SIGKILL are those of Unix")
FILES = ("model.joblib", "importance.csv", "card.json", "card.md")


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "deep" / "models")


def activated(store: ModelStore, market: Market) -> str:
    name = save(store, market).name
    store.activate(name)
    return name


# Saving and loading


def test_a_loaded_model_has_its_manifest_and_predicts_as_before(store, hamlet, valuer):
    version = save(store, hamlet, valuer)
    store.activate(version.name)
    loaded, houses = store.load(contract=hamlet.contract), hamlet.houses.tail(5)
    pd.testing.assert_frame_equal(loaded.model.value(houses), valuer.value(houses))
    pd.testing.assert_frame_equal(loaded.importance, IMPORTANCE)
    manifest = loaded.manifest
    assert manifest.model_version == version.name == f"hamlet-{houseprice.__version__}-1"
    assert manifest.libraries == installed_libraries()
    assert manifest.rows == len(hamlet.houses)
    assert manifest.contract_sha256 == hamlet.contract.sha256
    assert manifest.data_sha256 == hashlib.sha256(hamlet.sales_path.read_bytes()).hexdigest()
    assert manifest.market_title == "Hamlet"
    assert manifest.metrics == {"rmsle": 0.1, "median_ape": 0.05}  # without the NaN
    assert manifest.created_at.utcoffset() is not None


def test_the_card_of_each_version_names_it(store, hamlet):
    for name in [save(store, hamlet).name for _ in range(2)]:
        card = store.load(name).card
        assert card.data["version"]["model_version"] == name
        assert name in card.markdown
        assert (store.folder / name / "card.md").read_text(encoding="utf-8") == card.markdown


@POSIX
def test_only_the_owner_can_access_the_store_and_other_modes_are_warned_of(store, hamlet, caplog):
    activated(store, hamlet)
    for path in (store.folder, *store.folder.rglob("*")):
        if path.suffix != ".lock":
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    store.folder.chmod(0o777)
    store.load()
    assert "chmod go-w" in caplog.text


def test_an_empty_store_says_to_train_a_model(store):
    assert store.versions() == ()
    assert store.active() is None
    with pytest.raises(StoreError, match=r"There is no model in .* Train one: houseprice train"):
        store.load()


def test_a_folder_that_cannot_be_created_names_the_setting(tmp_path, hamlet):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="HOUSEPRICE_MODEL_DIR"):
        save(ModelStore(tmp_path / "file" / "models"), hamlet)


# Refusals


@pytest.mark.parametrize("file", FILES)
def test_a_file_with_one_changed_byte_is_refused(store, hamlet, file):
    name = save(store, hamlet).name
    path = store.folder / name / file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    for use in (store.load, store.activate):
        with pytest.raises(StoreError, match=rf"{file} of model version {name} is damaged"):
            use(name)


@pytest.mark.parametrize("file", [*FILES, "manifest.json"])
def test_a_missing_file_is_refused(store, hamlet, file):
    name = save(store, hamlet).name
    (store.folder / name / file).unlink()
    with pytest.raises(StoreError, match=r"No such file.*houseprice train"):
        store.load(name)


@pytest.mark.parametrize("file", [*FILES, "manifest.json"])
def test_a_named_pipe_in_place_of_a_file_is_refused_without_waiting(store, hamlet, file):
    name = save(store, hamlet).name
    (store.folder / name / file).unlink()
    os.mkfifo(store.folder / name / file)
    with pytest.raises(StoreError, match=r"not a regular file.*houseprice train"):
        store.load(name)
    os.mkfifo(store.folder / "active")
    with pytest.raises(StoreError, match="not a regular file"):
        store.active()


def test_a_replaced_model_file_is_not_unpickled(store, hamlet, tmp_path):
    name, mark = save(store, hamlet).name, tmp_path / "mark"
    joblib.dump(Trap(mark), store.folder / name / "model.joblib")
    with pytest.raises(StoreError, match="was not loaded"):
        store.load(name)
    assert not mark.exists()
    joblib.load(store.folder / name / "model.joblib")
    assert mark.exists()  # the trap works


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"manifest_sha256": 1}', "\0", '"x"'])
def test_a_damaged_manifest_is_refused(store, hamlet, text):
    name = save(store, hamlet).name
    manifest_path(store, name).write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match=rf"manifest of model version {name} is damaged"):
        store.load(name)
    assert store.versions()[0].error is not None


def test_a_manifest_with_other_fields_is_not_called_damaged(store, hamlet):
    name = save(store, hamlet).name

    class Extended(Manifest):
        extra: str = ""

    path = manifest_path(store, name)
    path.write_bytes(Extended(**Manifest.read(path).model_dump()).to_json())
    with pytest.raises(StoreError, match="a release of houseprice with other manifest fields"):
        store.load(name)


@pytest.mark.parametrize(
    ("software", "other"),
    [
        ("scikit-learn", "1.8.0"),
        ("numpy", "1.26.4"),
        ("pandas", "2.3.3"),
        ("python", "3.10.1"),
        ("houseprice", "1.4.2"),
    ],
)
def test_a_model_of_other_software_is_refused_before_it_is_unpickled(
    store, hamlet, software, other, tmp_path
):
    name = save(store, hamlet, Trap(tmp_path / "mark")).name
    if software == "houseprice":
        rewrite_manifest(store, name, package_version=other)
    else:
        rewrite_manifest(store, name, libraries={**installed_libraries(), software: other})
    with pytest.raises(StoreError) as refused:
        store.load(name)
    message = str(refused.value)
    assert f"made with {software} {other}, and this is {software}" in message
    assert "Train a new one (houseprice train)" in message
    assert store.versions()[0].error == message
    assert not (tmp_path / "mark").exists()


def test_a_patch_release_of_numpy_is_accepted(store, hamlet):
    name, here = save(store, hamlet).name, installed_libraries()
    patched = here["numpy"].rsplit(".", 1)[0] + ".99"
    rewrite_manifest(store, name, libraries={**here, "numpy": patched})
    assert store.load(name).manifest.model_version == name


def test_a_changed_manifest_and_the_manifest_of_another_version_are_refused(store, hamlet):
    first, second = (manifest_path(store, save(store, hamlet).name) for _ in range(2))
    second.write_bytes(first.read_bytes())
    first.write_text(first.read_text(encoding="utf-8").replace("0.05", "0.01"), encoding="utf-8")
    for path in (first, second):
        with pytest.raises(StoreError, match=rf"{path.parent.name} .* changed after"):
            store.load(path.parent.name)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (pickle.dumps({"not": "a model"}), "does not contain a valuation model"),
        (b"cno_such_module\nThing\n.", r"can't be loaded .*no_such_module"),
    ],
)
def test_a_model_file_with_a_valid_checksum_and_other_content_is_refused(
    store, hamlet, data, reason
):
    name = save(store, hamlet).name
    (store.folder / name / "model.joblib").write_bytes(data)
    entries = Manifest.read(manifest_path(store, name)).files
    rewrite_manifest(store, name, files=entries | {"model.joblib": file_entry(data)})
    with pytest.raises(StoreError, match=reason):
        store.load(name)


def test_a_model_of_other_code_or_of_another_contract_is_refused(store, hamlet):
    name = save(store, hamlet).name
    other = hamlet.contract.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(StoreError, match="trained on another contract"):
        store.load(name, contract=other)
    rewrite_manifest(store, name, code_sha256="0" * 64)
    with pytest.raises(StoreError, match=r"another state of the code.* houseprice train"):
        store.load(name)


@pytest.mark.parametrize(
    "name",
    ["..", "../x-1-1", "/etc", "ames", "a-1-0", "x-0.1-1/..", "x-1-1\n", "", "a-1-" + "9" * 200],
)
def test_a_text_that_is_no_version_name_reaches_no_file(store, hamlet, name):
    save(store, hamlet)
    outside = ModelStore(store.folder.parent / "outside")
    other = save(outside, hamlet).name
    for text in (name, f"../outside/{other}", str(outside.folder / other)):
        for use in (store.load, store.activate):
            with pytest.raises(StoreError):
                use(text)


# Numbers and activation


def test_versions_are_numbered_and_listed_oldest_first(store, hamlet):
    names = [save(store, hamlet).name for _ in range(11)]
    assert [name.rsplit("-", 1)[1] for name in names] == [str(n) for n in range(1, 12)]
    assert [version.name for version in store.versions()] == names


def test_the_number_of_a_deleted_version_is_not_used_again(store, hamlet):
    shutil.rmtree(store.folder / activated(store, hamlet))
    assert save(store, hamlet).name.endswith("-2")
    with pytest.raises(StoreError, match="There is no model version"):
        store.load()


def test_activation_and_rollback_follow_each_other(store, hamlet):
    one, two, three = (save(store, hamlet).name for _ in range(3))
    assert store.active() is None
    for name in (two, one, one, three):
        store.activate(name)
        assert store.active() == name
    assert [version.active for version in store.versions()] == [False, False, True]
    assert store.activation_history("hamlet") == (two, one, three)
    assert store.rollback() == one == store.active()
    assert store.rollback() == two == store.active()
    with pytest.raises(StoreError, match="none to roll back to"):
        store.rollback()
    assert store.active() == two


def test_each_market_has_its_own_active_version_and_rollback(store, hamlet, market):
    first, other = activated(store, hamlet), activated(store, market)
    assert [version.active for version in store.versions()] == [True, True]
    activated(store, hamlet)
    assert store.rollback("hamlet") == first == store.active("hamlet")
    for own, name in ((hamlet, first), (market, other)):
        assert store.load(contract=own.contract).manifest.model_version == name


def test_rollback_to_a_damaged_version_is_refused(store, hamlet):
    one, two = activated(store, hamlet), activated(store, hamlet)
    (store.folder / one / "model.joblib").write_bytes(b"")
    with pytest.raises(StoreError, match="damaged"):
        store.rollback()
    assert store.active() == two


def test_lines_that_are_no_version_names_are_ignored(store, hamlet):
    name = activated(store, hamlet)
    with (store.folder / "active").open("ab") as file:
        file.write(b"../../etc\n\xff\xfe\n\n")
    assert store.active() == name


def test_an_emptied_list_of_activations_hides_no_version(store, hamlet, caplog):
    activated(store, hamlet)
    newest = activated(store, hamlet)
    (store.folder / "active").write_bytes(b"")
    assert store.active() == store.load(contract=hamlet.contract).manifest.model_version == newest
    assert "the newest one counts as active" in caplog.text


def test_a_disk_without_room_is_refused_before_the_training(store, hamlet, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    steps = []
    with pytest.raises(StoreError, match="No space left"):
        train(hamlet, store, lambda *step: steps.append(step))
    assert steps == []


# Interruptions and concurrency

SAVE_FOREVER = """
import sys
from pathlib import Path
from houseprice.market.sales import load_market
from houseprice.model.store.store import ModelStore
from tests.stored_models import save
market = load_market(sys.argv[1])
store = ModelStore(Path(sys.argv[2]))
while True:
    name = save(store, market).name
    store.activate(name)
    print(name, flush=True)
"""


@POSIX
def test_processes_killed_while_saving_leave_a_usable_store(store, hamlet, root):
    command = [sys.executable, "-c", SAVE_FOREVER, str(hamlet.folder), str(store.folder)]

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)

    with start() as one, start() as other:
        lines = [pipe.readline() for _ in range(10) for pipe in (one.stdout, other.stdout) if pipe]
        for process in (one, other):
            process.send_signal(signal.SIGKILL)
        for process in (one, other):
            lines += process.communicate()[0].splitlines(keepends=True)
    names = [line.strip() for line in lines if line.endswith("\n")]
    assert len(names) >= 20
    assert len(set(names)) == len(names)  # two processes never use the same name
    assert set(names) <= {version.name for version in store.versions()}
    assert [version.error for version in store.versions() if version.error] == []
    for version in store.versions():
        store.load(version.name)
    assert store.load(contract=hamlet.contract).manifest.model_version == store.active()
    store.activate(save(store, hamlet).name)


@POSIX
def test_a_process_killed_before_the_rename_leaves_the_old_version_active(store, hamlet, root):
    old = activated(store, hamlet)
    code = """if True:
        import os, signal, sys
        from pathlib import Path
        from houseprice.model.store.versions import add_version
        kill = lambda number: os.kill(os.getpid(), signal.SIGKILL)
        add_version(Path(sys.argv[1]), {"model.joblib": b"half"}, kill, 2)
    """
    command = [sys.executable, "-c", code, str(store.folder)]
    assert subprocess.run(command, cwd=root, check=False).returncode == -signal.SIGKILL
    (abandoned,) = store.folder.glob(".saving-*")
    assert (abandoned / "model.joblib").read_bytes() == b"half"
    assert [version.name for version in store.versions()] == [old]
    assert store.load().manifest.model_version == old

    save(store, hamlet)
    assert abandoned.exists()  # another process might still be writing it
    two_hours_ago = abandoned.stat().st_mtime - 7200
    os.utime(abandoned, (two_hours_ago, two_hours_ago))
    save(store, hamlet)
    assert not abandoned.exists()


def test_a_failed_save_leaves_no_file_behind(store, hamlet):
    save(store, hamlet)
    before = sorted(store.folder.iterdir())

    def fail(number: int) -> tuple[Manifest, dict[str, bytes]]:
        raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError, match="disk on fire"):
        add_version(store.folder, {"model.joblib": b"half"}, fail, 2)
    assert sorted(store.folder.iterdir()) == before


def test_concurrent_saves_and_activations_are_all_recorded(store, hamlet):
    with ThreadPoolExecutor(8) as threads:
        names = list(threads.map(lambda _: activated(store, hamlet), range(16)))
    assert len(set(names)) == 16
    history = (store.folder / "active").read_text(encoding="utf-8").split()
    assert sorted(history) == sorted(names)
