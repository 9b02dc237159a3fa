"""``houseprice evaluate``: cross-validate, check the gate, or score a file with prices."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import houseprice
from houseprice.commands.console import (
    AsJson,
    Console,
    Dask,
    MarketName,
    Quiet,
    Seed,
    read_settings,
    use_market,
)
from houseprice.commands.records import log_training

if TYPE_CHECKING:
    from houseprice.market.sales import Market
    from houseprice.model.evaluation import EvaluationSet
    from houseprice.model.gate import Champion, GateResult
    from houseprice.model.report import Report
    from houseprice.progress import Progress

Data = Annotated[
    Path | None,
    typer.Option(
        metavar="SALES.csv",
        exists=True,
        dir_okay=False,
        help="Score the active model on these sales instead: one house per row, with its price.",
    ),
]
Folds = Annotated[int, typer.Option(min=2, max=50, help="Folds of the cross-validation.")]
Repeats = Annotated[int, typer.Option(min=1, max=100, help="Repeats of the cross-validation.")]
UseGate = Annotated[
    bool,
    typer.Option(
        "--gate",
        help="Check the metrics against the limits of the market's contract, and compare with the "
        "active model; exit with 1 if a condition fails.",
    ),
]
Against = Annotated[
    str | None,
    typer.Option(
        metavar="VERSION", help="With --gate: the version to compare with, by default the active."
    ),
]


@dataclass(frozen=True)
class Plan:
    """The options of the cross-validation."""

    folds: int
    repeats: int
    seed: int
    gate: bool
    against: str | None


def evaluate(  # noqa: PLR0913, PLR0917 - a parameter for each option
    context: typer.Context,
    data: Data = None,
    folds: Folds = 5,
    repeats: Repeats = 3,
    seed: Seed = 0,
    gate: UseGate = False,
    against: Against = None,
    dask: Dask = None,
    as_json: AsJson = False,
    market_name: MarketName = None,
    quiet: Quiet = False,
) -> None:
    """Evaluate the values: errors, intervals, confidence, and vertical equity.

    Without --data, each sale of the market is valued by a model that was not trained on it, and the
    sales of the last year by a model of the earlier years. With --data, the active model is
    compared with the prices of a file. With --gate, the metrics are checked against the limits of
    the market's contract, and the new model is compared with the active one, sale by sale.
    """
    use_market(market_name)
    console = Console.from_context(context, quiet=quiet)
    if against is not None and not gate:
        raise typer.BadParameter("it needs --gate.", param_hint="--against")
    if data is None:
        _cross_validate(console, Plan(folds, repeats, seed, gate, against), dask, as_json=as_json)
    elif dask is not None:
        raise typer.BadParameter("a file is scored on this computer.", param_hint="--dask")
    elif gate:
        raise typer.BadParameter("the gate needs the sales of the market.", param_hint="--gate")
    else:
        _score_file(console, data, seed, as_json=as_json)


# --------------------------------------------------------------------------------- cross-validation


def _cross_validate(console: Console, plan: Plan, dask: str | None, *, as_json: bool) -> None:
    """Cross-validate on the sales of the market; exit with 1 if the gate fails."""
    from houseprice.cluster import use_cluster
    from houseprice.commands.report_tables import gate_text, report_text
    from houseprice.errors import ModelError
    from houseprice.model.evaluation import cross_validate, out_of_time_evaluation
    from houseprice.model.report import build_report
    from houseprice.progress import subprogress
    from houseprice.tables.sales import load_market

    seed = plan.seed
    out_of_time, year, gate_result = None, None, None
    with console.progress("Reading the sales") as progress, use_cluster(dask):
        market = load_market()
        contract, houses = market.contract, market.houses
        # Find the model to compare with before the work, not after it.
        champion = _find_champion(market, plan.against) if plan.gate else None
        folds = subprogress(progress, 0.0, 0.7)
        values = cross_validate(market, plan.folds, plan.repeats, seed, folds)
        progress(0.7, "Predicting the last year from the earlier years")
        try:
            later_values, year = out_of_time_evaluation(market)
            out_of_time = build_report(later_values, houses, contract, random_state=seed)
        except ModelError as error:
            console.info(f"No out-of-time evaluation of the last year: {error}.")
        progress(0.8, "Bootstrapping the ratio study")
        report = build_report(values, houses, contract, random_state=seed)
        if champion is not None:
            last_part = subprogress(progress, 0.9, 1.0)
            gate_result = _check_gate(market, report, champion, seed, last_part)
    symbol = contract.market.price.symbol
    if as_json:
        options = {"folds": plan.folds, "repeats": plan.repeats, "seed": seed}
        last = None if out_of_time is None else {"year": year, **out_of_time.to_dict()}
        more: dict[str, Any] = {"out_of_time": last}
        if gate_result is not None:
            more["gate"] = gate_result.to_dict()
        _print_json(market, {"rows": len(houses), **options}, report, more)
    else:
        typer.echo(report_text(report, contract, out_of_time, year))
        _summarize(console, report, plan)
        if gate_result is not None:
            typer.echo(gate_text(gate_result, symbol))
    if gate_result is not None:
        _exit_by_gate(console, gate_result)


def _summarize(console: Console, report: Report, plan: Plan) -> None:
    console.info(
        f"{report.n_sales:,} sales in {plan.folds} folds, repeated {plan.repeats} times. The other "
        "columns are baselines."
    )
    if len(report.by_location):
        worst = report.by_location.iloc[0]
        console.info(
            f"The 90 % interval has the lowest coverage in {worst['group']}: "
            f"{worst['coverage_90']:.1%} of {worst['sales']:,} sales."
        )


def _find_champion(market: Market, against: str | None) -> Champion:
    from houseprice.model.gate import check_gate, find_champion
    from houseprice.model.store.store import ModelStore

    check_gate(market.contract, market.folder)
    return find_champion(market, ModelStore.from_settings(read_settings()), against)


def _check_gate(
    market: Market, report: Report, champion: Champion, seed: int, progress: Progress
) -> GateResult:
    from houseprice.model.gate import (
        GateResult,
        check_limits,
        compare_with_champion,
        gate_metrics,
        limits_of,
    )

    conditions = check_limits(limits_of(market.contract, report), gate_metrics(report))
    comparison = compare_with_champion(market, champion, seed, progress)
    return GateResult(tuple(conditions), comparison)


def _exit_by_gate(console: Console, result: GateResult) -> None:
    if result.comparison.note:
        console.warn(f"The active model: {result.comparison.note}.")
    if not result.passed:
        console.warn("The gate failed: do not deploy this model.")
        raise typer.Exit(1)
    console.info("The gate passed: this model can be deployed.")


# ------------------------------------------------------------------------------------- priced files


def _score_file(console: Console, path: Path, seed: int, *, as_json: bool) -> None:
    from houseprice.commands.report_tables import report_text
    from houseprice.model.evaluation import evaluate_model, evaluation_set
    from houseprice.model.report import build_report
    from houseprice.model.store.store import ModelStore
    from houseprice.model.training import ensure_model
    from houseprice.progress import subprogress
    from houseprice.tables.reader import read_table
    from houseprice.tables.sales import load_market

    settings = read_settings()
    with console.progress(f"Reading {path.name}") as progress:
        market = load_market(settings=settings)
        table = read_table(path, path.name, settings, market.contract)
        store = ModelStore.from_settings(settings)
        training = subprogress(progress, 0.0, 0.7)
        loaded = ensure_model(market, store, training, on_trained=log_training)
        priced = evaluation_set(table.rows, market, loaded.model.domain_, table.problems)
        progress(0.7, "Valuing houses")
        values = evaluate_model(loaded.model, market, priced.houses, priced.prices)
        progress(0.8, "Bootstrapping the ratio study")
        report = build_report(values, priced.houses, market.contract, random_state=seed)
    version = loaded.manifest.model_version
    if as_json:
        summary = {
            "model_version": version,
            "file": path.name,
            "rows": priced.n_rows,
            "scored": len(priced.houses),
            "errors": priced.n_errors,
            "without_price": priced.n_without_price,
            "hit_rate": 1.0 - priced.n_errors / priced.n_rows,
            "learned_from": priced.n_in_training,
            "left_out_by_code": priced.reason_counts,
            "seed": seed,
        }
        _print_json(market, summary, report)
    else:
        typer.echo(report_text(report, market.contract))
    for note in table.notes:
        console.info(note)
    _report_rows(console, priced, version)


def _report_rows(console: Console, priced: EvaluationSet, version: str) -> None:
    console.info(
        f"{version}: {len(priced.houses):,} of {priced.n_rows:,} rows scored, "
        f"{priced.n_errors:,} with an error, {priced.n_without_price:,} without a price."
    )
    for code, count in priced.reason_counts.items():
        console.info(f"  {code}: {count:,}")
    if priced.n_in_training:
        console.warn(
            f"{priced.n_in_training:,} of the scored rows are sales that the model was trained on. "
            "They make the metrics too good: leave them out, or use houseprice evaluate without "
            "--data."
        )


def _print_json(
    market: Market, summary: dict[str, Any], report: Report, more: dict[str, Any] | None = None
) -> None:
    head = {"market": market.contract.market.name, "package_version": houseprice.__version__}
    typer.echo(json.dumps({**head, **summary, **report.to_dict(), **(more or {})}, indent=2))
