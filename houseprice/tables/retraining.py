"""Retraining with later sales: a new version of the data, compared before it replaces the old one.

Data and model change together, and each change keeps what was there before: the file of sales, the
contract and the name of the model, in ``versions/`` of the market's folder.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from houseprice.errors import MarketError, StoreError
from houseprice.files import file_lock, replace_file, temporary_folder
from houseprice.formatting import percent, plural
from houseprice.market.contract import CONTRACT_FILE, load_contract
from houseprice.market.sales import EMBEDDED, Market
from houseprice.market.validation import validate
from houseprice.model.diagnostics import held_out_predictions
from houseprice.model.gate import (
    GateResult,
    check_gate,
    check_limits,
    compare_fitted,
    find_champion,
    gate_metrics,
    limits_of,
)
from houseprice.model.store.store import ModelStore
from houseprice.model.training import out_of_fold_report, train_challenger
from houseprice.progress import Progress, subprogress
from houseprice.records.ledger import Author
from houseprice.records.people import log_change
from houseprice.settings import Settings
from houseprice.tables.extension import OUTCOME_COLUMN, extend_by_outcomes, extend_market
from houseprice.tables.sales import load_market, read_sales

VERSIONS_FOLDER = "versions"

_TRAINED = 0.9


@dataclass(frozen=True)
class LiveComparison:
    """The median absolute errors of two models on later prices that neither was fitted on.

    Errors are shares of the price. The challenger, and a champion that has them among its sales,
    value each one in the fold that leaves it out.
    """

    sales: int
    champion: float | None = None
    challenger: float | None = None

    @property
    def sentence(self) -> str:
        """Both errors, in words."""
        if not self.sales or self.champion is None or self.challenger is None:
            return "No later price can be valued by both models."
        return (
            f"On {plural(self.sales, 'later price')}, the median absolute error is "
            f"{percent(self.challenger)} with the new model and {percent(self.champion)} with the "
            "model in use."
        )


@dataclass(frozen=True)
class Retraining:
    """What was compared, and whether the new data and the new model are in use.

    ``market`` has the new data, whose ``files`` are the contract and the sales; ``extends`` is the
    SHA-256 of the contract before.
    """

    summaries: tuple[str, ...]
    champion: str | None
    challenger: str
    gate: GateResult
    live: LiveComparison
    market: Market
    files: Mapping[str, bytes] = field(repr=False)
    extends: str
    is_in_use: bool = False

    @property
    def sentence(self) -> str:
        """What answers now."""
        sales = self.market.contract.market.sales
        return (f"{self.challenger} answers now. It was trained on "
                f"{len(self.market.houses):,} sales, in {sales}.")  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data for JSON and for the log."""
        return {
            "champion": self.champion,
            "challenger": self.challenger,
            "gate": self.gate.to_dict(),
            "live": asdict(self.live),
            "sales_file": self.market.contract.market.sales,
            "sales": len(self.market.houses),
            "in_use": self.is_in_use,
        }


@dataclass(frozen=True)
class DataVersion:
    """What a market was before a change: its file of sales, and its model, if it had one."""

    number: int
    sales_file: str
    model: str | None
    replaced_at: datetime

    @property
    def sentence(self) -> str:
        """What answers once it is in use again."""
        answers = f"{self.model} answers again" if self.model else "No model is active"
        return f"{answers}, with the sales in {self.sales_file}."


def check_can_change(folder: Path) -> None:
    """Raise a MarketError if a market is part of the package."""
    if folder.resolve().is_relative_to(EMBEDDED.resolve()):
        raise MarketError(
            folder, "",
            "a market of the package stays as it is. Copy this folder, for example to "
            f"./my_{folder.name}, and set HOUSEPRICE_MARKET to the copy",
        )  # fmt: skip


def retrain(
    market: Market,
    store: ModelStore,
    settings: Settings,
    sold: pd.DataFrame,
    *,
    more_sales: Path | None = None,
    accept_worse: bool = False,
    random_state: int = 0,
    progress: Progress | None = None,
) -> Retraining:
    """Train on a market's sales with later ones, and use the result if it passes the gate.

    ``sold`` are later prices (:func:`houseprice.records.outcomes.sold_houses`), ``more_sales`` a
    file of sales to add, too. With ``accept_worse``, the new model is used even if the gate fails.

    Raises MarketError, InputError or StoreError if the market is part of the package, nothing is
    new, or no model can be trained or saved.
    """
    folder = market.folder
    check_can_change(folder)
    check_gate(market.contract, folder)
    report_progress = subprogress(progress, 0.0, 1.0)
    with temporary_folder() as scratch:
        copy = scratch / folder.resolve().name
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(VERSIONS_FOLDER))
        summaries = []
        if more_sales is not None:
            extension = extend_market(copy, more_sales, settings)
            extension.write()
            summaries.append(f"{more_sales.name}: {extension.summary}")
        if more_sales is None or sold["facts"].map(bool).any():
            extension = extend_by_outcomes(copy, sold, settings)
            extension.write()
            summaries.append(f"Later prices: {extension.summary}")
        extended = load_market(copy, settings)
        champion = find_champion(extended, store, None)
        version, model = train_challenger(
            extended, store, subprogress(report_progress, 0.0, _TRAINED), random_state
        )
        report_progress(_TRAINED, "Comparing the models")
        report = out_of_fold_report(model, extended, random_state)
        conditions = check_limits(limits_of(extended.contract, report), gate_metrics(report))
        gate = GateResult(tuple(conditions), compare_fitted(extended, champion, model))
        held_out = held_out_predictions(model, extended)
        live = _compare_live(extended, held_out, store, champion.version, settings)
        files = {
            path.name: path.read_bytes() for path in (copy / CONTRACT_FILE, extended.sales_path)
        }
    result = Retraining(
        tuple(summaries), champion.version, version.name, gate, live, extended, files,
        market.contract.sha256,
    )  # fmt: skip
    return use_challenger(folder, store, result) if gate.passed or accept_worse else result


def use_challenger(folder: Path, store: ModelStore, result: Retraining) -> Retraining:
    """Put the new data into the folder of a market, and use the new model.

    Raises MarketError if the market was changed since the training, and StoreError if the new
    model can't be used any more; then nothing changes.
    """
    new_sales = result.market.contract.market.sales
    with file_lock(folder / ".retraining.lock"):
        if load_contract(folder).sha256 != result.extends:
            raise MarketError(folder, "", "was changed meanwhile. Retrain again")
        if (folder / new_sales).exists():
            raise MarketError(folder / new_sales, "", "exists already. Retrain again")
        current = store.active(result.market.contract.market.name)
        store.activate(result.challenger)  # first, because it may be refused
        _keep(folder, current)
        for name in (new_sales, CONTRACT_FILE):
            replace_file(folder / name, result.files[name])
    return replace(result, is_in_use=True)


def log_retraining(
    settings: Settings, author: Author, result: Retraining, *, is_new: bool = True
) -> None:
    """Log a training and what became of it; it is not new where it is used later, after all."""
    change = "retrained" if result.is_in_use else "not retrained"
    if is_new:
        log_change(settings, author, "model", result.challenger, "trained")
    log_change(settings, author, "market", author.market, change, result.to_dict())
    if result.is_in_use:
        log_change(settings, author, "model", result.challenger, "activated")


def log_restoration(settings: Settings, author: Author, version: DataVersion) -> None:
    """Log that a market is what it was before."""
    detail = {"sales_file": version.sales_file, "model": version.model}
    log_change(settings, author, "market", author.market, "restored", detail)
    if version.model is not None:
        log_change(settings, author, "model", version.model, "activated")


def data_versions(folder: Path) -> list[DataVersion]:
    """Return what a market was before each change, oldest first."""
    versions = []
    for path in sorted((folder / VERSIONS_FOLDER).glob("*/version.json")):
        kept = json.loads(path.read_text("utf-8"))
        versions.append(
            DataVersion(
                int(path.parent.name), kept["sales_file"], kept["model"],
                datetime.fromisoformat(kept["replaced_at"]),
            )
        )  # fmt: skip
    return versions


def restore(folder: Path, store: ModelStore, number: int | None = None) -> DataVersion:
    """Go back to the data and the model of a version, by default the last one.

    What is in use now becomes a version, too, so that one can go forward again.

    Raises MarketError if there is no such version, and StoreError if its model can't be used any
    more; then nothing changes.
    """
    check_can_change(folder)
    versions = {version.number: version for version in data_versions(folder)}
    wanted = versions.get(max(versions, default=0) if number is None else number)
    if wanted is None:
        listed = f"There are {', '.join(map(str, versions))}" if versions else "There is none yet"
        raise MarketError(folder, "", f"has no such version of its data. {listed}")
    contract = (folder / VERSIONS_FOLDER / f"{wanted.number:04}" / CONTRACT_FILE).read_bytes()
    if not (folder / wanted.sales_file).is_file():
        raise MarketError(folder / wanted.sales_file, "", "is missing: restore it from a backup")
    name = load_contract(folder).market.name
    current = store.active(name)
    if wanted.model is not None:
        store.activate(wanted.model)  # first, because it may be refused
    _keep(folder, current)
    replace_file(folder / CONTRACT_FILE, contract)
    return wanted


def _keep(folder: Path, model: str | None) -> None:
    """Keep what is in use as a version."""
    number = max((version.number for version in data_versions(folder)), default=0) + 1
    home = folder / VERSIONS_FOLDER / f"{number:04}"
    home.mkdir(parents=True, exist_ok=True)
    content: Mapping[str, Any] = {
        "sales_file": load_contract(folder).market.sales,
        "model": model,
        "replaced_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    replace_file(home / CONTRACT_FILE, (folder / CONTRACT_FILE).read_bytes())
    replace_file(home / "version.json", json.dumps(content, indent=2).encode())


def _compare_live(
    market: Market,
    held_out: pd.DataFrame,
    store: ModelStore,
    champion: str | None,
    settings: Settings,
) -> LiveComparison:
    """Compare two models on the sales of a market that are later prices of the records."""
    rows, _ = read_sales(market.sales_path, market.contract, settings)
    if OUTCOME_COLUMN not in rows or champion is None:
        return LiveComparison(0)
    counted = rows[~(rows.index + 1).isin(market.set_aside["row"])]
    is_later = (counted[OUTCOME_COLUMN] != "").to_numpy()
    later, challenger = counted[is_later].reset_index(drop=True), held_out[is_later]
    try:
        loaded = store.load(champion)
    except StoreError:
        return LiveComparison(0)
    checked = validate(later, loaded.model.contract)
    values = np.full(len(later), np.nan)
    if checked.valid.any():
        answers = loaded.model.value(checked.houses[checked.valid])
        values[checked.valid] = answers["predicted_price"].to_numpy()
    price = challenger["price"].to_numpy()
    known = challenger.merge(loaded.study.held_out, "left", "id", suffixes=("_new", ""))
    is_known = np.isclose(known["price"].to_numpy(), price)
    values = np.where(is_known, known["predicted_price"].to_numpy(), values)
    is_valued = np.isfinite(values)
    if not is_valued.any():
        return LiveComparison(0)
    errors = [
        float(np.median(np.abs(predicted[is_valued] / price[is_valued] - 1.0)))
        for predicted in (values, challenger["predicted_price"].to_numpy())
    ]
    return LiveComparison(int(is_valued.sum()), *errors)
