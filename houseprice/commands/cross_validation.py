"""``houseprice evaluate`` without a file: cross-validation, its report, and the gate."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

import houseprice
from houseprice.commands.console import Console, read_settings
from houseprice.commands.report_tables import report_text

if TYPE_CHECKING:
    from houseprice.market.sales import Market
    from houseprice.model.judging.judgement import Judgement
    from houseprice.model.judging.rival import Rival
    from houseprice.model.measuring.report import Report
    from houseprice.model.progress import Progress

__all__ = ["Plan", "cross_validate_market", "print_json"]


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
    from houseprice.errors import ModelError
    from houseprice.market.sales import load_market
    from houseprice.model.measuring.evaluation import cross_validate, out_of_time_evaluation
    from houseprice.model.measuring.report import report_on
    from houseprice.model.progress import part_of
    from houseprice.model.spreading import spread_over

    later, year, judgement, seed = None, None, None, plan.seed
    with console.progress("Reading the sales") as progress, spread_over(dask):
        market = load_market(read_settings().market)
        contract, houses = market.contract, market.houses
        rival = _rival(market, plan.against) if plan.gate else None
        folds = part_of(progress, 0.0, 0.7)
        found = cross_validate(market, plan.folds, plan.repeats, seed, folds)
        progress(0.7, "Foretelling the last year from the years before")
        try:
            foretold, year = out_of_time_evaluation(market)
            later = report_on(foretold, houses, contract, random_state=seed)
        except ModelError as error:
            console.say(f"The last year was not foretold: {error}.")
        progress(0.8, "Drawing samples for the ratio study")
        report = report_on(found, houses, contract, random_state=seed)
        if rival is not None:
            judgement = _judge(market, report, rival, seed, part_of(progress, 0.9, 1.0))
    if as_json:
        facts = {"rows": len(houses), **_counts(plan)}
        last = None if later is None else {"year": year, **later.as_data()}
        judged = {} if judgement is None else {"gate": judgement.as_data()}
        print_json(market, facts, report, {"out_of_time": last, **judged})
    else:
        typer.echo(report_text(report, contract, later, year))
        _tell_report(console, report, plan)
    if judgement is not None:
        _close(console, judgement, contract.market.price.symbol, as_json=as_json)


def _counts(plan: Plan) -> dict[str, int]:
    return {"folds": plan.folds, "repeats": plan.repeats, "seed": plan.seed}


def _tell_report(console: Console, report: Report, plan: Plan) -> None:
    console.say(
        f"{report.n_sales:,} sales in {plan.folds} folds, {plan.repeats} times over. The columns "
        "beside the model are what anybody could guess."
    )
    if len(report.by_location):
        worst = report.by_location.iloc[0]
        console.say(
            f"The 90 % range held least often in {worst['group']}: {worst['coverage_90']:.1%} of "
            f"{worst['sales']:,} sales."
        )


def _rival(market: Market, against: str | None) -> Rival:
    """Find who to compare with, and what the gate asks, before the work and not after it."""
    from houseprice.model.judging.rival import gate_of, rival_of
    from houseprice.model.storing.store import ModelStore

    gate_of(market)
    return rival_of(market, ModelStore.of(read_settings()), against)


def _judge(
    market: Market, report: Report, rival: Rival, seed: int, progress: Progress
) -> Judgement:
    from houseprice.model.judging.judgement import Judgement
    from houseprice.model.judging.rival import beside, gate_of
    from houseprice.model.measuring.gate import conditions, figures_of

    limits = conditions(gate_of(market), figures_of(report))
    return Judgement(tuple(limits), beside(market, rival, seed, progress))


def _close(console: Console, judgement: Judgement, symbol: str, *, as_json: bool) -> None:
    """Say what the gate says, and leave with 1 if it does not open."""
    from houseprice.commands.report_tables import gate_text

    if not as_json:
        typer.echo(gate_text(judgement, symbol))
    if judgement.beside.note:
        console.warn(f"The version in use: {judgement.beside.note}.")
    if judgement.held:
        console.say("The gate holds: this model may go on.")
        return
    console.warn("The gate does not hold: this model must not go on.")
    raise typer.Exit(1)


def print_json(
    market: Market, facts: dict[str, Any], report: Report, more: dict[str, Any] | None = None
) -> None:
    """Print a report with what was measured."""
    summary = {"market": market.contract.market.name, "package_version": houseprice.__version__}
    typer.echo(json.dumps({**summary, **facts, **report.as_data(), **(more or {})}, indent=2))
