"""The store of trained models: one folder per version, written completely or not at all.

::

    <store>/
      active                      activated versions, one per line; the last one is active
      town-0.1.0-1/
        manifest.json             what the model is, and the checksums of the other files
        model.joblib
        importance.csv
        golden.json               houses with the prices that the model predicted for them
        held_out.json             what models that were fitted without a sale predicted for it
        card.md, card.json        the model card
        study.json                tables that take longer than the training, added after it
        study.lock                held while these are computed; contains the share that is done

A version is written to a temporary folder and renamed, so that an interruption at any moment leaves
the store usable. Its study is written before the manifest that has its checksum, and a version with
a missing or damaged study is a version without one. A model is loaded only after its signature (if
one is required), its checksum and the software versions were verified;
:mod:`houseprice.model.store.artefact` says what remains.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import pandas as pd

from houseprice.errors import StoreError
from houseprice.files import file_lock, progress_lock, read_progress, replace_file
from houseprice.market.contract import Contract
from houseprice.market.sales import Market
from houseprice.model.card import Card
from houseprice.model.report import Report
from houseprice.model.store.artefact import (
    NO_GOLDEN_ROWS,
    GoldenRows,
    LoadedModel,
    build_manifest,
    load,
    serialize,
    study_files,
    verify_files,
    verify_signature,
)
from houseprice.model.store.manifest import Manifest, file_entry
from houseprice.model.store.signing import NO_KEYS, Keys
from houseprice.model.store.versions import (
    MANIFEST_FILE,
    ActivationHistory,
    add_version,
    create_store_folder,
    explain_write_errors,
    is_version_name,
    market_of_version,
    number_of_version,
    version_name,
    version_names,
    warn_if_writable_by_others,
)
from houseprice.model.study import NO_STUDY, STUDY_FILE, Study
from houseprice.model.valuation import ValuationModel
from houseprice.progress import Progress
from houseprice.settings import Settings

logger = logging.getLogger(__name__)

_STUDY_LOCK = "study.lock"


@dataclass(frozen=True)
class Version:
    """One version of the store.

    ``manifest`` is None if it can't be read or its signature is not trusted. ``error`` says why
    the version can't be used here, as far as its manifest shows, and is None if it can.
    """

    name: str
    active: bool
    manifest: Manifest | None
    error: str | None = None


class ModelStore:
    """The versions in one folder, of one market or several.

    The folder is created, for its owner only, when it is first written to. The keys
    sign new versions and decide which are trusted; by default any version can be loaded.
    """

    def __init__(self, folder: Path, keys: Keys = NO_KEYS) -> None:
        self.folder = folder
        self.keys = keys
        self._history = ActivationHistory(folder)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the store of the settings; a SettingsError if it would not trust its own key."""
        return cls(settings.model_dir, Keys.from_settings(settings))

    def save(
        self,
        model: ValuationModel,
        market: Market,
        metrics: Mapping[str, float],
        importance: pd.DataFrame,
        *,
        report: Report | None = None,
        golden: GoldenRows = NO_GOLDEN_ROWS,
        study: Study = NO_STUDY,
        preliminary: bool = False,
    ) -> Version:
        """Save a fitted model, with the card of its report, as a new version; not active yet.

        Raises StoreError if the folder can't be written to.
        """
        create_store_folder(self.folder)
        files, card = serialize(model, market, metrics, importance, report, golden, study)
        manifest = add_version(
            self.folder,
            files,
            lambda number: build_manifest(
                market, metrics, files, number, card, self.keys, preliminary=preliminary
            ),
            self._next_number(market),
        )
        logger.info("saved model version %s", manifest.model_version)
        return Version(manifest.model_version, active=False, manifest=manifest)

    def load(self, version: str | None = None, contract: Contract | None = None) -> LoadedModel:
        """Load a version after verifying it.

        By default it is the active one (of the contract's market, if a contract is given). A model
        that was trained on another contract is refused. Nothing is unpickled unless all checks
        pass: a StoreError says what is wrong and what to do.
        """
        name = version or self.active(contract.market.name if contract else None)
        if name is None:
            raise StoreError(
                f"There is no model in {self.folder} yet. Train one: houseprice train."
            )
        manifest, files = verify_files(self._version_folder(name), self.keys)
        if contract is not None:
            manifest.check_contract(contract)
        warn_if_writable_by_others(self.folder)
        return load(manifest, files)

    def description(self, version: str) -> tuple[Manifest, Card]:
        """Read the manifest and the card of a version, verified, without loading its model."""
        manifest, files = verify_files(self._version_folder(version), self.keys)
        return manifest, Card.from_files(files)

    def study(self, version: str) -> Study:
        """Read the study of a version without loading its model.

        A study that is missing or damaged has the held-out values only. Raises StoreError if there
        is no such version, or it is not signed by a trusted key.
        """
        folder = self._version_folder(version)
        study = Study.from_files(study_files(folder, verify_signature(folder, self.keys)))
        if study.is_complete:
            return study
        return replace(study, progress=read_progress(folder / _STUDY_LOCK))

    def renew_study(self, loaded: LoadedModel) -> LoadedModel:
        """Return a loaded version with the study that was added since, or with its progress."""
        folder = self.folder / loaded.manifest.model_version
        try:
            if (folder / STUDY_FILE).is_file():
                manifest = verify_signature(folder, self.keys)
                study = Study.from_files(study_files(folder, manifest))
                if study.is_complete:
                    return replace(loaded, manifest=manifest, study=study)
        except StoreError:
            logger.warning("the study can't be read", exc_info=True)
        progress = read_progress(folder / _STUDY_LOCK)
        return replace(loaded, study=replace(loaded.study, progress=progress))

    def check_can_add(self, version: str) -> None:
        """Raise a StoreError if a study can't be added to a version with these keys."""
        verify_signature(self._version_folder(version), self.keys).check_can_sign_again(self.keys)

    def add_study(self, version: str, study: Study, metrics: Mapping[str, float]) -> None:
        """Add a study, and the metrics that it has measured, to a saved version.

        Raises StoreError if the version can't be signed or written to.
        """
        folder = self._version_folder(version)
        manifest, data = verify_signature(folder, self.keys), study.files()[STUDY_FILE]
        manifest.check_can_sign_again(self.keys)
        files = manifest.files | {STUDY_FILE: file_entry(data)}
        complete = manifest.model_copy(
            update={"files": files, "metrics": manifest.metrics | dict(metrics)}
        )
        with explain_write_errors(self.folder):
            replace_file(folder / STUDY_FILE, data)
            replace_file(folder / MANIFEST_FILE, complete.signed(self.keys).to_json())
        logger.info("added its study to model version %s", version)

    @contextmanager
    def computing_study(self, version: str) -> Iterator[Progress | None]:
        """Hold the right to compute a study, and report its progress to all processes.

        Yields None if another process computes it. Studies of other versions are waited for, so
        that a store has one at a time.
        """
        lock = progress_lock(self._version_folder(version) / _STUDY_LOCK)
        with ExitStack() as held:
            with explain_write_errors(self.folder):
                write = held.enter_context(lock)
                if write is not None:
                    held.enter_context(file_lock(self.folder / _STUDY_LOCK))
            yield None if write is None else lambda share, _: write(share)

    def versions(self) -> tuple[Version, ...]:
        """List the versions, oldest first, after those with an unreadable manifest."""
        active = self._history.active_versions()
        versions = [self._version(name, name in active) for name in version_names(self.folder)]
        return tuple(sorted(versions, key=_age))

    def active(self, market: str | None = None) -> str | None:
        """Return the version activated last (of a market, by its short name), None if none was."""
        return self._history.active(market)

    def activation_history(self, market: str) -> tuple[str, ...]:
        """Return the versions of a market in the order of their activation, the active one last."""
        return tuple(name for name in self._history.names() if market_of_version(name) == market)

    def activate(self, version: str) -> None:
        """Make a version the active one of its market.

        Raises StoreError if it is missing, damaged, not signed by a trusted key, or made by other
        versions of the software.
        """
        verify_files(self._version_folder(version), self.keys)
        with explain_write_errors(self.folder):
            self._history.activate(version)
        logger.info("model version %s is active", version)

    def rollback(self, market: str | None = None) -> str:
        """Activate the version that was active before the active one, and return its name.

        Raises StoreError if there is none, or it can't be used any more.
        """
        version = self._history.previous(market)
        verify_files(self._version_folder(version), self.keys)
        with explain_write_errors(self.folder):
            self._history.roll_back_to(version)
        logger.info("rolled back to model version %s", version)
        return version

    def _version_folder(self, name: str) -> Path:
        if not is_version_name(name) or not (self.folder / name).is_dir():
            raise StoreError(
                f"There is no model version {name[:80]!r} in {self.folder}. "
                "List the versions: houseprice models."
            )
        return self.folder / name

    def _version(self, name: str, active: bool) -> Version:
        manifest = None
        try:
            manifest = verify_signature(self.folder / name, self.keys)
            manifest.check_versions()
        except StoreError as error:
            return Version(name, active, manifest, str(error))
        return Version(name, active, manifest)

    def _next_number(self, market: Market) -> int:
        """One more than the highest number that this market and package ever used."""
        prefix = version_name(market.contract.market.name, 1).rsplit("-", 1)[0]
        names = [*version_names(self.folder), *self._history.names()]
        same = [name for name in names if name.rsplit("-", 1)[0] == prefix]
        return max(map(number_of_version, same), default=0) + 1


def _age(version: Version) -> tuple[datetime, str]:
    oldest = datetime.min.replace(tzinfo=UTC)
    return version.manifest.created_at if version.manifest else oldest, version.name
