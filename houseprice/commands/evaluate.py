"""``houseprice evaluate``: how good the values are, by cross-validation or on a priced file.

``houseprice evaluate`` without a file: cross-validation, its report, and the gate.

Metrics as a table of plain text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import houseprice
from houseprice.commands.console import AsJson, Console, Quiet, Seed, read_settings
from houseprice.commands.dask import Dask
from houseprice.commands.report_tables import report_text
from houseprice.model.standards import format_metric, metric_label

if TYPE_CHECKING:
    from houseprice.market.sales import Market
    from houseprice.model.evaluation import EvaluationSet
    from houseprice.model.gate import Champion, GateResult
    from houseprice.model.report import Report
    from houseprice.progress import Progress

__all__ = ["Plan", "cross_validate_market", "evaluate", "print_json", "table"]


@dataclass(frozen=True)
class Plan:
    """How the sales are split, and whether what comes out is held to the gate."""

    folds: int
    repeats: int
    seed: int
    gate: bool
    against: str | None


def cross_validate_market(console: Console, plan: Plan, dask: str | None, *, as_json: bool) -> None:
    """Value each sale of the market unseen and report on it; leave with 1 if the gate fails."""
    from houseprice.cluster import use_cluster
    from houseprice.errors import ModelError
    from houseprice.market.sales import load_market
    from houseprice.model.evaluation import cross_validate, out_of_time_evaluation
    from houseprice.model.report import build_report
    from houseprice.progress import subprogress

    later, year, judgement, seed = None, None, None, plan.seed
    with console.progress("Reading the sales") as progress, use_cluster(dask):
        market = load_market(read_settings().market)
        contract, houses = market.contract, market.houses
        rival = _rival(market, plan.against) if plan.gate else None
        folds = subprogress(progress, 0.0, 0.7)
        found = cross_validate(market, plan.folds, plan.repeats, seed, folds)
        progress(0.7, "Foretelling the last year from the years before")
        try:
            foretold, year = out_of_time_evaluation(market)
            later = build_report(foretold, houses, contract, random_state=seed)
        except ModelError as error:
            console.info(f"The last year was not foretold: {error}.")
        progress(0.8, "Drawing samples for the ratio study")
        report = build_report(found, houses, contract, random_state=seed)
        if rival is not None:
            judgement = _judge(market, report, rival, seed, subprogress(progress, 0.9, 1.0))
    if as_json:
        facts = {"rows": len(houses), **_counts(plan)}
        last = None if later is None else {"year": year, **later.to_dict()}
        judged = {} if judgement is None else {"gate": judgement.to_dict()}
        print_json(market, facts, report, {"out_of_time": last, **judged})
    else:
        typer.echo(report_text(report, contract, later, year))
        _tell_report(console, report, plan)
    if judgement is not None:
        _close(console, judgement, contract.market.price.symbol, as_json=as_json)


def _counts(plan: Plan) -> dict[str, int]:
    return {"folds": plan.folds, "repeats": plan.repeats, "seed": plan.seed}


def _tell_report(console: Console, report: Report, plan: Plan) -> None:
    console.info(
        f"{report.n_sales:,} sales in {plan.folds} folds, {plan.repeats} times over. The columns "
        "beside the model are what anybody could guess."
    )
    if len(report.by_location):
        worst = report.by_location.iloc[0]
        console.info(
            f"The 90 % range held least often in {worst['group']}: {worst['coverage_90']:.1%} of "
            f"{worst['sales']:,} sales."
        )


def _rival(market: Market, against: str | None) -> Champion:
    """Find who to compare with, and what the gate asks, before the work and not after it."""
    from houseprice.model.gate import find_champion, require_gate
    from houseprice.model.store.store import ModelStore

    require_gate(market)
    return find_champion(market, ModelStore.from_settings(read_settings()), against)


def _judge(
    market: Market, report: Report, rival: Champion, seed: int, progress: Progress
) -> GateResult:
    from houseprice.model.gate import (
        GateResult,
        check_limits,
        compare_with_champion,
        gate_metrics,
        require_gate,
    )

    limits = check_limits(require_gate(market), gate_metrics(report))
    return GateResult(tuple(limits), compare_with_champion(market, rival, seed, progress))


def _close(console: Console, judgement: GateResult, symbol: str, *, as_json: bool) -> None:
    """Say what the gate says, and leave with 1 if it does not open."""
    from houseprice.commands.report_tables import gate_text

    if not as_json:
        typer.echo(gate_text(judgement, symbol))
    if judgement.comparison.note:
        console.warn(f"The version in use: {judgement.comparison.note}.")
    if judgement.passed:
        console.info("The gate holds: this model may go on.")
        return
    console.warn("The gate does not hold: this model must not go on.")
    raise typer.Exit(1)


def print_json(
    market: Market, facts: dict[str, Any], report: Report, more: dict[str, Any] | None = None
) -> None:
    """Print a report with what was measured."""
    summary = {"market": market.contract.market.name, "package_version": houseprice.__version__}
    typer.echo(json.dumps({**summary, **facts, **report.to_dict(), **(more or {})}, indent=2))


Folds = Annotated[int, typer.Option(min=2, max=50, help="Parts that the sales are split into.")]
Repeats = Annotated[int, typer.Option(min=1, max=100, help="Times that they are split anew.")]
Data = Annotated[
    Path | None,
    typer.Option(
        metavar="SALES.csv",
        exists=True,
        dir_okay=False,
        help="Score the model in use on these sales instead: houses, a row each, with prices.",
    ),
]
ToGate = Annotated[
    bool,
    typer.Option(
        "--gate",
        help="Hold the figures to the limits of the market's contract and to the version in use; "
        "exit with 1 if one does not hold.",
    ),
]
Against = Annotated[
    str | None,
    typer.Option(
        metavar="VERSION", help="With --gate: the version to compare with, for the one in use."
    ),
]


def evaluate(  # noqa: PLR0913, PLR0917 - a parameter for each option
    context: typer.Context,
    data: Data = None,
    folds: Folds = 5,
    repeats: Repeats = 3,
    seed: Seed = 0,
    gate: ToGate = False,
    against: Against = None,
    dask: Dask = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure the values: errors, ranges, confidence, and how fair they are to cheap and dear.

    Without --data each sale of the market is valued by a model that has not seen it, and the sales
    of the last year by a model of the years before. With --data the model in use is held against
    the prices of a file. With --gate, the figures are held to what the market asks of a model, and
    the model that would be trained now to the version in use, sale by sale.
    """
    console = Console.from_context(context, quiet=quiet)
    if against is not None and not gate:
        raise typer.BadParameter("it is for the gate: add --gate.", param_hint="--against")
    if data is None:
        plan = Plan(folds, repeats, seed, gate, against)
        cross_validate_market(console, plan, dask, as_json=as_json)
    elif dask is not None:
        raise typer.BadParameter("a file is scored on this computer.", param_hint="--dask")
    elif gate:
        raise typer.BadParameter("the gate is for the sales of the market.", param_hint="--gate")
    else:
        _score(console, data, seed, as_json=as_json)


def _score(console: Console, path: Path, seed: int, *, as_json: bool) -> None:
    from houseprice.market.sales import load_market
    from houseprice.model.evaluation import evaluate_model, evaluation_set
    from houseprice.model.report import build_report
    from houseprice.model.store.store import ModelStore
    from houseprice.model.training import ensure_model
    from houseprice.progress import subprogress
    from houseprice.tables.reader import read_table

    settings = read_settings()
    with console.progress(f"Reading {path.name}") as progress:
        market = load_market(settings.market)
        table = read_table(path, path.name, settings, market.contract)
        loaded = ensure_model(
            market, ModelStore.from_settings(settings), subprogress(progress, 0.0, 0.7)
        )
        priced = evaluation_set(table.rows, market, loaded.model.domain_, table.problems)
        progress(0.7, "Valuing houses")
        found = evaluate_model(loaded.model, market, priced.houses, priced.prices)
        progress(0.8, "Drawing samples for the ratio study")
        report = build_report(found, priced.houses, market.contract, random_state=seed)
    version = loaded.manifest.model_version
    if as_json:
        facts = {
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
        print_json(market, facts, report)
    else:
        typer.echo(report_text(report, market.contract))
    for note in table.notes:
        console.info(note)
    _tell_rows(console, priced, version)


def _tell_rows(console: Console, priced: EvaluationSet, version: str) -> None:
    console.info(
        f"{version}: {len(priced.houses):,} of {priced.n_rows:,} rows scored, "
        f"{priced.n_errors:,} with an error, {priced.n_without_price:,} without a price."
    )
    for code, count in priced.reason_counts.items():
        console.info(f"  {code}: {count:,}")
    if priced.n_in_training:
        console.warn(
            f"{priced.n_in_training:,} of the rows scored are sales that the model has "
            "learned from. They flatter the score: leave them out, or use houseprice evaluate "
            "without --data."
        )


def table(headers: Sequence[str], metrics: Iterable[Mapping[str, float]], symbol: str) -> str:
    """Lay metrics out side by side, one a line, in the order of the first.

    Parameters
    ----------
    headers : sequence of str
        Of the columns of figures.
    metrics : iterable of mapping
        One a column; a metric that a column lacks stays blank there.
    symbol : str
        Of the currency.
    """
    columns = list(metrics)
    rows = [["", *headers]] + [
        [metric_label(name), *(format_metric(name, column.get(name), symbol) for column in columns)]
        for name in columns[0]
    ]
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in rows
    )
