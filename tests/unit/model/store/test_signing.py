"""Signed versions: who can make one, and what is refused before any of it is loaded."""

import ast
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import houseprice
from houseprice.errors import SettingsError, StoreError
from houseprice.model.store.manifest import Manifest
from houseprice.model.store.signing import Keys, generate_key_pair
from houseprice.model.store.store import ModelStore
from houseprice.model.study import NO_STUDY
from houseprice.model.training import ensure_model, start_finishing, train
from houseprice.settings import Settings
from tests.stored_models import Trap, manifest_path, rewrite_manifest, save

OURS, THEIRS = generate_key_pair(), generate_key_pair()

Open = Callable[..., ModelStore]


@pytest.fixture
def store(tmp_path):
    """Open one folder with a signing key and trusted keys."""

    def opened(signing: str | None = None, *trusted: str) -> ModelStore:
        text = ",".join(trusted) or None
        return ModelStore.from_settings(
            Settings(model_dir=tmp_path / "models", signing_key=signing, trusted_keys=text)
        )

    return opened


def assert_refused(store: ModelStore, name: str, why: str) -> None:
    """Every use of a version fails for the same reason."""
    (version,) = [version for version in store.versions() if version.name == name]
    assert version.manifest is None
    assert why in (version.error or "")
    for use in (store.load, store.activate, store.study):
        with pytest.raises(StoreError, match=why):
            use(name)


def test_a_version_signed_with_a_trusted_key_is_loaded_wherever_its_folder_is_copied(
    store, hamlet, tmp_path
):
    trained, name = store(OURS[0]), save(store(OURS[0]), hamlet).name
    for trusted in ((THEIRS[1], OURS[1]), (OURS[1],)):
        server = ModelStore.from_settings(
            Settings(model_dir=tmp_path / trusted[0][:5], trusted_keys=",".join(trusted))
        )
        shutil.copytree(trained.folder / name, server.folder / name)
        server.activate(name)
        loaded = server.load(contract=hamlet.contract)
        assert loaded.manifest == Manifest.read(manifest_path(trained, name))
        assert loaded.manifest.signing_key == trained.keys.signing_id
        assert f"`{loaded.manifest.signing_key}`" in loaded.card.markdown
        assert [version.error for version in server.versions()] == [None]


def test_without_keys_no_version_is_signed_and_signed_versions_are_loaded_too(store, hamlet):
    unsigned, signed = save(store(), hamlet).name, save(store(OURS[0]), hamlet).name
    assert Manifest.read(manifest_path(store(), unsigned)).signature is None
    for name in (unsigned, signed):
        assert store().load(name).manifest.model_version == name


def test_unsigned_versions_and_unknown_keys_are_refused_also_by_a_rollback(store, hamlet):
    unsigned, theirs = save(store(), hamlet).name, save(store(THEIRS[0]), hamlet).name
    trusting = store(None, OURS[1])
    assert_refused(trusting, unsigned, "is not signed, and HOUSEPRICE_TRUSTED_KEYS requires")
    signed = save(store(OURS[0]), hamlet).name
    for name in (unsigned, signed):
        store().activate(name)
    with pytest.raises(StoreError, match="is not signed"):
        trusting.rollback("hamlet")
    assert trusting.active("hamlet") == signed
    assert_refused(trusting, theirs, "does not contain")
    assert_refused(trusting, theirs, str(store(THEIRS[0]).keys.signing_id))


@pytest.mark.parametrize("signature", ["", "no base64!", "AAAA", "A" * 86 + "==", "of another"])
def test_a_changed_signature_is_refused(store, hamlet, signature):
    other, name = (save(store(OURS[0]), hamlet).name for _ in range(2))
    theirs = Manifest.read(manifest_path(store(), other)).signature
    changed = theirs if signature == "of another" else signature
    rewrite_manifest(store(), name, signature=changed)
    assert_refused(store(None, OURS[1]), name, "changed after it was signed")


def test_a_manifest_or_a_file_changed_after_signing_is_refused(store, hamlet):
    ours, theirs = save(store(OURS[0]), hamlet).name, save(store(THEIRS[0]), hamlet).name
    trusting, replaced = store(None, OURS[1]), save(store(OURS[0]), hamlet).name
    rewrite_manifest(store(), ours, metrics={"median_ape": 0.001})
    rewrite_manifest(store(), theirs, signing_key=store(OURS[0]).keys.signing_id)
    for name in (ours, theirs):
        assert_refused(trusting, name, "changed after it was signed")
    path = trusting.folder / replaced / "golden.json"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(StoreError, match=r"golden\.json .* was changed after it was saved"):
        trusting.load(replaced)


def test_a_signed_version_under_another_name_is_refused(store, hamlet):
    trusting, name = store(None, OURS[1]), save(store(OURS[0]), hamlet).name
    other = f"{name}7"
    shutil.copytree(trusting.folder / name, trusting.folder / other)
    assert_refused(trusting, other, "was changed after it was saved")
    renamed = Manifest.read(manifest_path(trusting, name)).model_copy(
        update={"model_version": other}
    )
    manifest_path(trusting, other).write_bytes(renamed.to_json())
    assert_refused(trusting, other, "changed after it was signed")


def test_no_file_of_an_untrusted_version_is_unpickled(store, hamlet, tmp_path):
    mark = tmp_path / "mark"
    name = save(store(), hamlet, Trap(mark)).name
    with pytest.raises(StoreError, match="is not signed"):
        store(None, OURS[1]).load(name)
    assert not mark.exists()
    with pytest.raises(StoreError, match="does not contain a valuation model"):
        store().load(name)
    assert mark.exists()  # the trap works


def test_no_model_is_trained_where_it_could_not_be_signed(store, hamlet):
    trusting = store(None, OURS[1])
    with pytest.raises(StoreError, match=r"No model can be trained here: .* Train where that key"):
        train(hamlet, trusting)
    with pytest.raises(StoreError, match=r"There is no model in .* No model can be trained here"):
        ensure_model(hamlet, trusting)
    assert not trusting.folder.exists()

    name = save(store(), hamlet).name
    store().activate(name)
    with pytest.raises(StoreError, match=rf"{name} is not signed.* No model can be trained here"):
        ensure_model(hamlet, trusting)
    assert [version.name for version in trusting.versions()] == [name]
    assert trusting.active("hamlet") == name


def test_a_signed_model_is_trained_in_place_of_an_untrusted_one(store, hamlet):
    unsigned = save(store(), hamlet).name
    store().activate(unsigned)
    loaded = ensure_model(hamlet, store(OURS[0], OURS[1]))
    assert loaded.manifest.model_version != unsigned
    assert ensure_model(hamlet, store(None, OURS[1])).manifest == loaded.manifest


def complete_study():
    column = {"column": ["size"], "label": ["Size"], "contribution": [1.0]}
    return replace(NO_STUDY, contributions=pd.DataFrame(column))


def test_a_study_is_added_with_the_key_that_signed_the_version(store, hamlet):
    ours = store(OURS[0], OURS[1])
    name = save(ours, hamlet).name
    ours.add_study(name, complete_study(), {"shared_error_time": 0.02})
    reader = store(None, OURS[1])
    assert reader.study(name).is_complete
    assert reader.load(name).manifest.metrics["shared_error_time"] == 0.02


@pytest.mark.parametrize(
    ("made", "added"), [((), (OURS[0],)), ((OURS[0],), ()), ((OURS[0],), (THEIRS[0],))]
)
def test_a_study_never_changes_who_signed_a_version(store, hamlet, made, added):
    name = save(store(*made), hamlet).name
    before = manifest_path(store(), name).read_bytes()
    with pytest.raises(StoreError, match="Add it where the version was trained"):
        store(*added).add_study(name, complete_study(), {})
    assert manifest_path(store(), name).read_bytes() == before
    assert start_finishing(hamlet, store(*added)) is None


def test_a_version_that_was_changed_is_not_signed_again(store, hamlet):
    ours = store(OURS[0])  # loads what is not signed, too
    name = save(ours, hamlet).name
    rewrite_manifest(ours, name, rows=1)
    with pytest.raises(StoreError, match="does not match its content"):
        ours.add_study(name, complete_study(), {})


def test_a_signing_key_that_is_not_trusted_is_refused_without_showing_it(store):
    with pytest.raises(SettingsError, match="could not be loaded here") as caught:
        store(THEIRS[0], OURS[1])
    assert THEIRS[0] not in str(caught.value)
    settings = Settings(signing_key=OURS[0])
    for text in (
        *(repr(settings), str(settings), settings.model_dump_json()),
        repr(Keys.from_settings(settings)),
    ):
        assert OURS[0] not in text


def test_the_package_opens_stores_only_with_the_keys_of_the_settings():
    """A store made from a folder alone trusts every version."""
    package = Path(houseprice.__file__).parent
    calls = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "ModelStore"
    ]
    assert calls == []
