"""The evaluation report as tables on the terminal."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Iterable, Sequence
from math import isnan
from typing import TYPE_CHECKING

from houseprice.model.standards import format_metric, metric_label

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from houseprice.market.contract import Contract, Limit
    from houseprice.model.gate import ChampionComparison, GateResult
    from houseprice.model.report import Report

__all__ = ["gate_text", "report_text"]

_PIPED_WIDTH = 120


def report_text(
    report: Report, contract: Contract, later: Report | None = None, year: int | None = None
) -> str:
    """Lay a report out for a reader.

    Parameters
    ----------
    report : Report
    contract : Contract
        For the currency and the name of the market areas.
    later : Report, optional
        Of the sales of the last year, by a model of the years before.
    year : int, optional
        That year.
    """
    symbol = contract.market.price.symbol
    place = contract.fields[contract.market.roles.location].label
    tables = [
        _metrics(report, symbol, later, year),
        _equity(report.equity, f"Ratio study of {report.n_sales:,} sales, 90 % intervals"),
        _bands(report.bands, "Realised error by confidence"),
        _bands(report.fine_bands, "The same, finer"),
        _ranges(report.by_price, "Ranges and errors by fifth of the prices", "Price"),
        _groups(report.equity_by_price, "Ratio study by fifth of the prices", "Price"),
    ]
    if len(report.by_location):
        tables += [
            _ranges(report.by_location, f"Ranges and errors by {place.lower()}", place),
            _groups(report.equity_by_location, f"Ratio study by {place.lower()}", place),
        ]
    if later is not None:
        title = f"Ratio study of {later.n_sales:,} sales of {year} by a model of the years before"
        tables.insert(2, _equity(later.equity, title))
    return _drawn(tables)


def gate_text(judgement: GateResult, symbol: str) -> str:
    """Lay out what the gate asks, what was found, and whether it holds."""
    rows = [
        [
            metric_label(each.metric),
            _limit(each.metric, each.limit, symbol),
            "too few sales"
            if isnan(each.value)
            else format_metric(each.metric, each.value, symbol),
            "yes" if each.passed else "NO",
        ]
        for each in judgement.conditions
    ]
    rows.append(_beside(judgement.comparison))
    return _drawn([_table("The gate", ["", "limit", "found", "held"], rows)])


def _limit(figure: str, limit: Limit, symbol: str) -> str:
    low, high = (format_metric(figure, end, symbol) for end in (limit.at_least, limit.at_most))
    if low and high:
        return f"{low} to {high}"
    return f"at most {high}" if high else f"at least {low}"


def _beside(beside: ChampionComparison) -> list[str]:
    if beside.difference is None or beside.low is None or beside.high is None:
        return ["Average error beside the version in use", "", "nothing to compare with", "yes"]
    difference, low, high = (
        f"{100 * share:+.2f}" for share in (beside.difference, beside.low, beside.high)
    )
    return [
        f"Average error less that of {beside.version}, {beside.sales:,} sales",
        f"surely at most {100 * beside.worse_by:+.2f} points",
        f"{difference} ({low} to {high})",
        "yes" if beside.passed else "NO",
    ]


def _metrics(report: Report, symbol: str, later: Report | None, year: int | None) -> Table:
    headers = {"model": report.metrics}
    if later is not None:
        headers[f"model, {year} foretold"] = later.metrics
    headers |= {name.replace("_", " "): found for name, found in report.baselines.items()}
    return _table(
        "How close values come",
        ["", *headers],
        (
            [
                metric_label(name),
                *(format_metric(name, found.get(name), symbol) for found in headers.values()),
            ]
            for name in report.metrics
        ),
    )


def _equity(study: pd.DataFrame, title: str) -> Table:
    rows = []
    for each in study.to_dict("records"):
        name = str(each["figure"])
        value, low, high = (format_metric(name, each[end], "") for end in ("value", "low", "high"))
        least, most = (format_metric(name, each[f"accepted_{end}"], "") for end in ("low", "high"))
        good = f"{least} to {most}"
        if isnan(each["value"]):
            rows.append([metric_label(name), "too few sales", "", good, ""])
        else:
            met = "yes" if each["met"] else "no"
            rows.append([metric_label(name), value, f"{low} to {high}", good, met])
    headers = ["", "value", "interval", "good", "reached"]
    return _table(title, headers, rows)


def _bands(bands: pd.DataFrame, title: str) -> Table:
    headers = ["Confidence", "values", "share", "half are off by at most", "within 10 %"]
    shares = ["share", "median_ape", "within_10", "within_20", "coverage_68", "coverage_90"]
    return _table(
        title,
        [*headers, "within 20 %", "68 % range held", "90 % range held"],
        (
            [_band(band), f"{band['values']:,}", *(_percent(band[name]) for name in shares)]
            for _, band in bands.iterrows()
        ),
    )


def _ranges(groups: pd.DataFrame, title: str, first: str) -> Table:
    shares = ["coverage_90", "width_90", "median_ape", "within_10"]
    return _table(
        title,
        [first, "sales", "90 % range held", "mean width", "half are off by at most", "within 10 %"],
        (
            [group["group"], f"{group['sales']:,}", *(_percent(group[name]) for name in shares)]
            for _, group in groups.iterrows()
        ),
    )


def _groups(study: pd.DataFrame, title: str, first: str) -> Table:
    """Level and spread of each group; the other figures compare prices, which a group lacks."""
    wanted = ["median_ratio", "cod", "prd"]

    rows = []
    for label, part in study.groupby("group", sort=False):
        found = part.set_index("figure")[["value", "low", "high"]].T.to_dict("list")
        cells = [
            "{} ({} to {})".format(*(format_metric(name, end, "") for end in found[name]))
            for name in wanted
        ]
        rows.append([str(label), f"{part['sales'].iloc[0]:,}", *cells])
    return _table(title, [first, "sales", "median ratio", "COD", "PRD"], rows)


def _band(band: pd.Series) -> str:
    word = str(band["band"])
    if word[0].isdigit() or word.startswith("below"):
        return word
    upper = f"below {band['upper']:.0f}" if band["upper"] < 100 else "and more"
    return f"{word}: {band['lower']:.0f} {upper}" if band["lower"] else f"{word}: {upper}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _table(title: str, headers: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE)
    for place, header in enumerate(headers):
        # Headers may be folded; what is named on the left and the figures stay on one line.
        table.add_column(Text(header), justify="right" if place else "left", no_wrap=not place)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _drawn(tables: Iterable[Table]) -> str:
    from rich.console import Console

    terminal = shutil.get_terminal_size().columns
    width = max(terminal, 80) if sys.stdout.isatty() else _PIPED_WIDTH
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        for table in tables:
            console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().rstrip().splitlines())
