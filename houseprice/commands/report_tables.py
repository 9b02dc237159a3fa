"""Evaluation reports, gate results and metrics as tables for the terminal."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from typing import TYPE_CHECKING

from houseprice.formatting import percent, plural
from houseprice.model.standards import format_limit, format_metric, metric_label

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from houseprice.market.contract import Contract
    from houseprice.market.draft.draft import Draft
    from houseprice.market.sales import Market
    from houseprice.model.gate import ChampionComparison, GateResult
    from houseprice.model.report import Report
    from houseprice.records.fairness import Fairness
    from houseprice.records.report import LiveReport

_PIPED_WIDTH = 120


def report_text(
    report: Report, contract: Contract, out_of_time: Report | None = None, year: int | None = None
) -> str:
    """Format a report, and that of the sales of the last year by a model of the earlier years."""
    symbol = contract.market.price.symbol
    field = contract.field_of("location")
    location = field.label if field else "Area"
    tables = [
        _accuracy(report, symbol, out_of_time, year),
        _equity(report.equity, f"Ratio study of {report.n_sales:,} sales, 90 % intervals"),
        _bands(report.bands, "Errors by confidence"),
        _bands(report.fine_bands, "Errors by confidence, in fine bands"),
        _intervals(report.by_price, "Intervals and errors by fifth of the prices", "Price"),
        _groups(report.equity_by_price, "Ratio study by fifth of the prices", "Price"),
    ]
    if len(report.by_location):
        title = f"by {location.lower()}"
        tables += [
            _intervals(report.by_location, f"Intervals and errors {title}", location),
            _groups(report.equity_by_location, f"Ratio study {title}", location),
        ]
    if out_of_time is not None:
        sales = f"{out_of_time.n_sales:,} sales of {year}"
        title = f"Ratio study of {sales} by a model of the earlier years"
        tables.insert(2, _equity(out_of_time.equity, title))
    return _render(tables)


def track_record_text(report: LiveReport, by: Sequence[str]) -> str:
    """Format the track record, with the groups of some groupings, the alarms and the reviews."""
    from houseprice.records.text_tables import equity_text, figures_text, groups_text, shares_text

    record = report.record
    tables = [_texts("Track record", figures_text(record.figures))]
    if len(record.equity):
        title = f"Ratio study of {plural(record.n_sales, 'later sale')}, 90 % intervals"
        tables.append(_texts(title, equity_text(record.equity)))
    for name in by:
        groups = record.groups[record.groups["by"] == name]
        tables.append(_texts(f"By {name}", groups_text(groups, name.capitalize())))
    if report.reviews.n_reviews:
        tables.append(_texts("Reviews", shares_text(report.reviews.shares)))
        tables.append(_texts("Reviewers", shares_text(report.reviews.reviewers)))
    lines = [record.sentence]
    if record.n_added_later:
        lines.append(
            f"Of {plural(record.n_sales, 'value')}, {record.n_added_later:,} were saved on the day "
            "of the sale or later: they are no proof that the price was unknown."
        )
    return "\n".join([*lines, "", _render(tables), "", *alarm_lines(report.alarms)])


def alarm_lines(alarms: pd.DataFrame) -> list[str]:
    """Say what each alarm found, what would do, and what was done."""
    if alarms.empty:
        return ["No alarm."]
    lines = []
    for alarm in alarms.to_dict("records"):
        lines.append(f"Alarm {alarm['entry']} ({alarm['created_at']:%Y-%m-%d}): {alarm['message']}")
        lines += [f"  - {advice}" for advice in alarm["advice"]]
        lines += [
            f"  Done ({each['at']:%Y-%m-%d}, {each['person']}): {each['what']}"
            for each in alarm["responses"]
        ] or [f"  Open. Say what was done: houseprice records respond {alarm['entry']} --what …"]
    return lines


def fairness_text(found: Fairness) -> str:
    """Format a comparison by attributes: its groups, its tests and the ratio study of each."""
    from houseprice.records.text_tables import groups_text, levels_text, tests_text

    tables = [_texts(f"By {by}", groups_text(groups, str(by).capitalize()))
              for by, groups in found.groups.groupby("by", sort=False)]  # fmt: skip
    if len(found.tests):
        tables.append(_texts("Each group against all others", tests_text(found.tests)))
    if len(found.equity):
        tables.append(_texts("Ratio study", levels_text(found.equity)))
    return "\n".join([found.sentence, *found.remarks, "", _render(tables)])


def gate_text(result: GateResult, symbol: str) -> str:
    """Format the conditions of the gate with their values."""
    rows = [
        [
            metric_label(condition.metric),
            format_limit(condition.metric, condition.limit, symbol),
            "too few sales"
            if isnan(condition.value)
            else format_metric(condition.metric, condition.value, symbol),
            "yes" if condition.passed else "NO",
        ]
        for condition in result.conditions
    ]
    rows.append(_comparison(result.comparison))
    return _render([_table("The gate", ["", "limit", "value", "passed"], rows)])


def metrics_text(version: str, metrics: Mapping[str, float], symbol: str) -> str:
    """Format the metrics of a version, one per line."""
    rows = [
        [metric_label(name), format_metric(name, value, symbol)] for name, value in metrics.items()
    ]
    return _render([_table("", ["", version], rows)])


def set_aside_lines(market: Market) -> list[str]:
    """Say how many sales do not count, and why."""
    groups = market.set_aside.groupby("code", sort=False)["reason"]
    return [
        f"{plural(len(reasons), 'sale')} set aside, such as: {reasons.iloc[0]}"
        for _, reasons in groups
    ]


def draft_text(draft: Draft) -> str:
    """Format what each column of a file of sales is taken for."""
    headers = ["Column", "taken for", "kind", "why", "how sure", "check"]
    rows = [
        [each.column, each.use, each.kind or "", each.reason, each.sure, each.check]
        for each in draft.guesses
    ]
    table = _table("", headers, rows)
    for column in table.columns:
        column.justify = "left"
    return _render([table])


def _comparison(comparison: ChampionComparison) -> list[str]:
    if comparison.difference is None or comparison.low is None or comparison.high is None:
        return ["Mean error compared with the active model", "", "nothing to compare with", "yes"]
    difference, low, high = (
        f"{100 * share:+.2f}" for share in (comparison.difference, comparison.low, comparison.high)
    )
    return [
        f"Mean error minus that of {comparison.version}, {comparison.sales:,} sales",
        f"significantly at most {100 * comparison.worse_by:+.2f} points",
        f"{difference} ({low} to {high})",
        "yes" if comparison.passed else "NO",
    ]


def _accuracy(report: Report, symbol: str, out_of_time: Report | None, year: int | None) -> Table:
    columns = {"model": report.metrics}
    if out_of_time is not None:
        columns[f"model, out of time {year}"] = out_of_time.metrics
    columns |= {name.replace("_", " "): metrics for name, metrics in report.baselines.items()}
    rows = [
        [metric_label(name)]
        + [format_metric(name, metrics.get(name), symbol) for metrics in columns.values()]
        for name in report.metrics
    ]
    return _table("Accuracy", ["", *columns], rows)


def _equity(study: pd.DataFrame, title: str) -> Table:
    rows = []
    for row in study.to_dict("records"):
        metric = str(row["figure"])
        low, high = (format_metric(metric, row[f"accepted_{end}"], "") for end in ("low", "high"))
        accepted = f"{low} to {high}"
        if isnan(row["value"]):
            rows.append([metric_label(metric), "too few sales", "", accepted, ""])
            continue
        value, low, high = (format_metric(metric, row[end], "") for end in ("value", "low", "high"))
        met = "yes" if row["met"] else "no"
        rows.append([metric_label(metric), value, f"{low} to {high}", accepted, met])
    return _table(title, ["", "value", "interval", "accepted", "met"], rows)


def _bands(bands: pd.DataFrame, title: str) -> Table:
    shares = ["share", "median_ape", "within_10", "within_20", "coverage_68", "coverage_90"]
    headers = ["Confidence", "values", "share", "median error", "within 10 %", "within 20 %"]
    rows = [
        [_band(band), f"{band['values']:,}", *(percent(band[name]) for name in shares)]
        for _, band in bands.iterrows()
    ]
    return _table(title, [*headers, "coverage of 68 %", "coverage of 90 %"], rows)


def _band(band: pd.Series) -> str:
    name = str(band["band"])
    if name[0].isdigit() or name.startswith("below"):
        return name
    upper = f"below {band['upper']:.0f}" if band["upper"] < 100 else "and more"
    return f"{name}: {band['lower']:.0f} {upper}" if band["lower"] else f"{name}: {upper}"


def _intervals(groups: pd.DataFrame, title: str, first: str) -> Table:
    shares = ["coverage_90", "width_90", "median_ape", "within_10"]
    headers = [first, "sales", "coverage of 90 %", "mean width", "median error", "within 10 %"]
    rows = [
        [group["group"], f"{group['sales']:,}", *(percent(group[name]) for name in shares)]
        for _, group in groups.iterrows()
    ]
    return _table(title, headers, rows)


def _groups(study: pd.DataFrame, title: str, first: str) -> Table:
    """Level and uniformity of each group; the other metrics compare prices across groups."""
    rows = []
    for label, part in study.groupby("group", sort=False):
        values = part.set_index("figure")[["value", "low", "high"]].T.to_dict("list")
        cells = [
            "{} ({} to {})".format(*(format_metric(name, value, "") for value in values[name]))
            for name in ("median_ratio", "cod", "prd")
        ]
        rows.append([str(label), f"{part['sales'].iloc[0]:,}", *cells])
    return _table(title, [first, "sales", "median ratio", "COD", "PRD"], rows)


def _texts(title: str, frame: pd.DataFrame) -> Table:
    """A table of a frame of texts and counts."""
    rows = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row]
            for row in frame.astype(object).itertuples(index=False)]  # fmt: skip
    return _table(title, [str(name) for name in frame.columns], rows)


def _table(title: str, headers: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE)
    for i, header in enumerate(headers):
        # Headers may wrap; the names on the left and the values stay on one line.
        table.add_column(Text(header), justify="right" if i else "left", no_wrap=not i)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _render(tables: Iterable[Table]) -> str:
    from rich.console import Console

    terminal = shutil.get_terminal_size().columns
    width = max(terminal, 80) if sys.stdout.isatty() else _PIPED_WIDTH
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        for table in tables:
            console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().rstrip().splitlines())
