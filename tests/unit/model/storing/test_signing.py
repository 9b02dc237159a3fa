"""Signed versions: who may make one, and what is refused before anything of it is opened."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import houseprice
from houseprice.errors import SettingsError, StoreError
from houseprice.market.sales import Market
from houseprice.model.store.manifest import Manifest
from houseprice.model.store.signing import Keys, generate_key_pair
from houseprice.model.store.store import ModelStore
from houseprice.model.training import ensure_model, train
from houseprice.model.valuation import ValuationModel
from houseprice.settings import Settings

OURS, THEIRS = generate_key_pair(), generate_key_pair()
IMPORTANCE = pd.DataFrame({"column": ["size"], "label": ["Size"], "importance_pct": [1.0]})

Open = Callable[..., ModelStore]


@pytest.fixture
def store(tmp_path: Path) -> Open:
    """Open one folder with the keys of different people."""

    def opened(signing: str | None = None, *trusted: str) -> ModelStore:
        text = ",".join(trusted) or None
        return ModelStore.from_settings(
            Settings(model_dir=tmp_path / "models", signing_key=signing, trusted_keys=text)
        )

    return opened


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.mark,)


def save(store: ModelStore, market: Market, model: object = None) -> str:
    kept = ValuationModel(market.contract) if model is None else model
    return store.save(kept, market, {"median_ape": 0.05}, IMPORTANCE).name


def rewrite(store: ModelStore, name: str, **changes: object) -> None:
    """Change a manifest as anybody who may write to the folder can: with a right checksum."""
    path = store.folder / name / "manifest.json"
    path.write_bytes(Manifest.read(path).model_copy(update=changes).to_json())


def manifest_of(store: ModelStore, name: str) -> Manifest:
    return Manifest.read(store.folder / name / "manifest.json")


def refused(store: ModelStore, name: str, why: str) -> None:
    """Every way to a version ends in the same words."""
    (version,) = [version for version in store.versions() if version.name == name]
    assert version.manifest is None
    assert version.error is not None
    assert why in version.error
    for use in (store.load, store.activate, store.study):
        with pytest.raises(StoreError, match=why):
            use(name)


def test_a_version_signed_with_a_trusted_key_is_opened(store: Open, hamlet: Market) -> None:
    name = save(store(OURS[0]), hamlet)
    trusting = store(None, THEIRS[1], OURS[1])
    trusting.activate(name)
    loaded = trusting.load(contract=hamlet.contract)
    assert loaded.manifest.signing_key == store(OURS[0]).keys.signing_id
    assert f"`{loaded.manifest.signing_key}`" in loaded.card.markdown
    assert [version.error for version in trusting.versions()] == [None]


def test_without_keys_nothing_is_signed_and_signed_ones_are_opened_too(
    store: Open, hamlet: Market
) -> None:
    plain, signed = save(store(), hamlet), save(store(OURS[0]), hamlet)
    assert manifest_of(store(), plain).signature is None
    for name in (plain, signed):
        assert store().load(name).manifest.model_version == name


def test_a_version_from_before_signatures_is_refused_where_one_is_asked_for(
    store: Open, hamlet: Market
) -> None:
    name = save(store(), hamlet)
    refused(store(None, OURS[1]), name, "is not signed, and HOUSEPRICE_TRUSTED_KEYS asks")


def test_a_key_that_is_not_trusted_is_refused_and_named(store: Open, hamlet: Market) -> None:
    name = save(store(THEIRS[0]), hamlet)
    refused(store(None, OURS[1]), name, "does not hold")
    with pytest.raises(StoreError, match=str(store(THEIRS[0]).keys.signing_id)):
        store(None, OURS[1]).load(name)


def test_a_key_that_only_claims_to_be_a_trusted_one_is_refused(store: Open, hamlet: Market) -> None:
    name = save(store(THEIRS[0]), hamlet)
    rewrite(store(), name, signing_key=store(OURS[0]).keys.signing_id)
    refused(store(None, OURS[1]), name, "changed after it was signed")


@pytest.mark.parametrize("signature", ["", "no base64!", "AAAA", "A" * 86 + "=="])
def test_a_signature_that_was_tampered_with_is_refused(
    store: Open, hamlet: Market, signature: str
) -> None:
    name = save(store(OURS[0]), hamlet)
    rewrite(store(), name, signature=signature)
    refused(store(None, OURS[1]), name, "changed after it was signed")


def test_a_fact_that_was_changed_after_signing_is_refused(store: Open, hamlet: Market) -> None:
    name = save(store(OURS[0]), hamlet)
    rewrite(store(), name, metrics={"median_ape": 0.001})
    refused(store(None, OURS[1]), name, "changed after it was signed")


def test_a_signature_of_another_version_is_refused(store: Open, hamlet: Market) -> None:
    first, second = (save(store(OURS[0]), hamlet) for _ in range(2))
    rewrite(store(), second, signature=manifest_of(store(), first).signature)
    refused(store(None, OURS[1]), second, "changed after it was signed")


def test_a_whole_version_under_another_name_is_refused(store: Open, hamlet: Market) -> None:
    trusting, name = store(None, OURS[1]), save(store(OURS[0]), hamlet)
    other = f"{name}7"
    shutil.copytree(trusting.folder / name, trusting.folder / other)
    refused(trusting, other, "was changed after it was saved")
    rewrite_name = Manifest.read(trusting.folder / name / "manifest.json")
    (trusting.folder / other / "manifest.json").write_bytes(
        rewrite_name.model_copy(update={"model_version": other}).to_json()
    )
    refused(trusting, other, "changed after it was signed")


def test_nothing_of_an_untrusted_version_is_unpickled(
    store: Open, hamlet: Market, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    name = save(store(), hamlet, Trap(mark))
    with pytest.raises(StoreError, match="is not signed"):
        store(None, OURS[1]).load(name)
    assert not mark.exists()
    with pytest.raises(StoreError, match="holds no valuation model"):
        store().load(name)
    assert mark.exists()  # the trap would have worked


def test_a_file_swapped_under_a_good_signature_is_refused(store: Open, hamlet: Market) -> None:
    signed, plain = save(store(OURS[0]), hamlet), save(store(), hamlet)
    trusting = store(None, OURS[1])
    (trusting.folder / signed / "golden.json").write_bytes(
        (trusting.folder / plain / "golden.json").read_bytes() + b" "
    )
    with pytest.raises(StoreError, match=r"golden\.json .* was changed after it was saved"):
        trusting.load(signed)


def test_going_back_to_an_untrusted_version_is_refused(store: Open, hamlet: Market) -> None:
    plain, signed = save(store(), hamlet), save(store(OURS[0]), hamlet)
    for name in (plain, signed):
        store().activate(name)
    trusting = store(None, OURS[1])
    with pytest.raises(StoreError, match="is not signed"):
        trusting.rollback("hamlet")
    assert trusting.active("hamlet") == signed


def test_a_signed_version_answers_where_its_folder_was_copied_to(
    store: Open, hamlet: Market, tmp_path: Path, valuer: ValuationModel
) -> None:
    trained = store(OURS[0])
    name = save(trained, hamlet, valuer)
    server = ModelStore.from_settings(Settings(model_dir=tmp_path / "server", trusted_keys=OURS[1]))
    shutil.copytree(trained.folder / name, server.folder / name)
    server.activate(name)
    assert server.load(contract=hamlet.contract).manifest == manifest_of(trained, name)


# Training


def test_who_could_not_sign_trains_nothing(store: Open, hamlet: Market) -> None:
    trusting = store(None, OURS[1])
    with pytest.raises(StoreError, match=r"No model is trained here: .* Train where that key is"):
        train(hamlet, trusting)
    with pytest.raises(StoreError, match=r"There is no model in .* No model is trained here"):
        ensure_model(hamlet, trusting)
    assert not trusting.folder.exists()


def test_who_could_not_sign_does_not_train_over_an_untrusted_version(
    store: Open, hamlet: Market
) -> None:
    name = save(store(), hamlet)
    store().activate(name)
    trusting = store(None, OURS[1])
    with pytest.raises(StoreError, match=rf"{name} is not signed.* No model is trained here"):
        ensure_model(hamlet, trusting)
    assert [version.name for version in trusting.versions()] == [name]
    assert trusting.active("hamlet") == name


def test_who_can_sign_trains_in_place_of_an_untrusted_version(store: Open, hamlet: Market) -> None:
    plain = save(store(), hamlet)
    store().activate(plain)
    loaded = ensure_model(hamlet, store(OURS[0], OURS[1]))
    assert loaded.manifest.model_version != plain
    assert ensure_model(hamlet, store(None, OURS[1])).manifest == loaded.manifest


# Keys


def test_a_private_key_whose_public_one_is_not_trusted_is_told_at_once(store: Open) -> None:
    with pytest.raises(SettingsError, match="so a model trained here would be refused") as caught:
        store(THEIRS[0], OURS[1])
    assert THEIRS[0] not in str(caught.value)


def test_keys_don_t_show_themselves(store: Open) -> None:
    kept = Settings(signing_key=OURS[0])
    for shown in (repr(kept), str(kept), repr(Keys.from_settings(kept)), kept.model_dump_json()):
        assert OURS[0] not in shown


def test_every_door_opens_the_store_with_the_keys_of_the_settings() -> None:
    """A store that is made of a folder alone trusts everybody."""
    package = Path(houseprice.__file__).parent
    made = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "ModelStore"
    ]
    assert made == []
