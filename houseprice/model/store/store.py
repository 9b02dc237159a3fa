"""Trained models on disk: a folder a version, written whole or not at all.

::

    <store>/
      active                      versions activated, one a line, the last one answers
      town-0.1.0-1/
        manifest.json             what the model is, and the checksums of the others
        model.joblib
        importance.csv
        golden.json               houses with the prices it gave them, to try it again
        study.json                what takes too long to work out while somebody waits
        card.md, card.json        the model card

A version is written to a folder beside and renamed, so a kill at any moment leaves what was there
usable. Nothing is opened before its signature (if one is asked for), its checksum and the versions
of the software agree; what that does not prove is told in :mod:`houseprice.model.store.artefact`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import pandas as pd

from houseprice.errors import StoreError
from houseprice.market.contract import Contract
from houseprice.market.sales import Market
from houseprice.model.report import Report
from houseprice.model.store.artefact import (
    NO_GOLDEN_ROWS,
    GoldenRows,
    LoadedModel,
    build_manifest,
    load,
    read_file,
    serialize,
    verify_files,
    verify_signature,
)
from houseprice.model.store.manifest import Manifest
from houseprice.model.store.signing import NO_KEYS, Keys
from houseprice.model.store.versions import (
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
from houseprice.settings import Settings

__all__ = ["LoadedModel", "ModelStore", "Version"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Version:
    """One version of the store.

    Attributes
    ----------
    name : str
    active : bool
        Whether it is the one that answers for its market.
    manifest : Manifest or None
        None where it can't be read, or is not signed as it should be.
    error : str or None
        Why it can't be used here, as far as its manifest tells; None if it can.
    """

    name: str
    active: bool
    manifest: Manifest | None
    error: str | None = None


class ModelStore:
    """The versions in one folder, of one market or several.

    Parameters
    ----------
    folder : Path
        Made, for its owner only, when it is first written to.
    keys : Keys, optional
        To sign with, and those whose signatures count. By default any version may be opened.
    """

    def __init__(self, folder: Path, keys: Keys = NO_KEYS) -> None:
        self.folder = folder
        self.keys = keys
        self._activation = ActivationHistory(folder)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the store that the settings lead to.

        Raises
        ------
        SettingsError
            If the keys don't go together.
        """
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
    ) -> Version:
        """Save a fitted model, with the card of its report, as a new version; not active yet.

        Whoever opens it later values the golden rows again, and refuses a model that differs.

        Raises
        ------
        StoreError
            If the folder can't be written to.
        """
        create_store_folder(self.folder)
        files, card = serialize(model, market, metrics, importance, report, golden)
        files[STUDY_FILE] = study.to_json()
        number = self._next_number(market)
        manifest = add_version(
            self.folder,
            files,
            lambda taken: build_manifest(market, metrics, files, taken, card, self.keys),
            number,
        )
        logger.info("saved model version %s", manifest.model_version)
        return Version(manifest.model_version, active=False, manifest=manifest)

    def load(self, version: str | None = None, contract: Contract | None = None) -> LoadedModel:
        """Load a version after checking it.

        Parameters
        ----------
        version : str, optional
            By default the active one (of the contract's market, if a contract is given).
        contract : Contract, optional
            Refuse a model that learned by another contract than this.

        Raises
        ------
        StoreError
            Saying what is wrong and what to do; nothing has been unpickled unless all checks pass.
        """
        name = version or self.active(contract.market.name if contract else None)
        if name is None:
            raise StoreError(
                f"There is no model in {self.folder} yet. Train one: houseprice train."
            )
        manifest, files = verify_files(self._place(name), self.keys)
        if contract is not None:
            manifest.check_contract(contract)
        warn_if_writable_by_others(self.folder)
        return load(manifest, files)

    def study(self, version: str) -> Study:
        """Read the study of a version without opening its model.

        Raises
        ------
        StoreError
            If there is no such version, or its study is missing, changed or not signed as it
            should be.
        """
        return Study.from_json(read_file(self._place(version), STUDY_FILE, self.keys))

    def versions(self) -> tuple[Version, ...]:
        """List the versions, the oldest first, those whose manifest can't be read before all."""
        answering = self._activation.answering()
        found = [self._version(name, name in answering) for name in version_names(self.folder)]
        return tuple(sorted(found, key=_age))

    def active(self, market: str | None = None) -> str | None:
        """Return the version activated last (for a market, by its short name), None if none was."""
        return self._activation.newest(market)

    def activation_history(self, market: str) -> tuple[str, ...]:
        """Return the versions of a market in the order of their activation, the active one last."""
        return tuple(
            name for name in self._activation.history() if market_of_version(name) == market
        )

    def activate(self, version: str) -> None:
        """Make a version the one that answers for its market.

        Raises
        ------
        StoreError
            If it is missing, damaged, not signed as it should be, or made by other versions of the
            software.
        """
        verify_files(self._place(version), self.keys)
        with explain_write_errors(self.folder):
            self._activation.add(version)
        logger.info("model version %s is active", version)

    def rollback(self, market: str | None = None) -> str:
        """Go back to the version that was active before the active one, and return its name.

        Raises
        ------
        StoreError
            If there is none, or it can't be used any more.
        """
        version = self._activation.before(market)
        verify_files(self._place(version), self.keys)
        with explain_write_errors(self.folder):
            self._activation.back_to(version)
        logger.info("went back to model version %s", version)
        return version

    def _place(self, name: str) -> Path:
        if not is_version_name(name) or not (self.folder / name).is_dir():
            raise StoreError(
                f"There is no model version {name[:80]!r} in {self.folder}. "
                "List the versions with: houseprice models."
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
        """One more than the highest number that this market and package ever gave out."""
        first = version_name(market.contract.market.name, 1)
        names = [*version_names(self.folder), *self._activation.history()]
        same = [name for name in names if name.rsplit("-", 1)[0] == first.rsplit("-", 1)[0]]
        return max(map(number_of_version, same), default=0) + 1


def _age(version: Version) -> tuple[datetime, str]:
    made = version.manifest.created_at if version.manifest else datetime.min.replace(tzinfo=UTC)
    return made, version.name
