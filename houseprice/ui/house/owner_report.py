"""The owner's report of a house: the button that gives it.

One page on a house for its owner, to print or to keep: a file that needs nothing else.

It is HTML made for paper. Every browser opens and prints it, without the network, and its own
rules forbid it to load or run anything. It fits one page of A4 or of US Letter.

What the owner's report of a house says, gathered from its valuation and the backend.
"""

from __future__ import annotations

import html
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import TypeVar

import pandas as pd
import streamlit as st

from houseprice.backend.base import Backend, BackendInfo, ValuationResult
from houseprice.errors import HousePriceError
from houseprice.formatting import display_step, percent
from houseprice.market.contract import Contract
from houseprice.market.validation import validate
from houseprice.model.report import confidence_band
from houseprice.ui.house.form import house_frame
from houseprice.ui.layout import answered_by, as_of_sentence, escape

__all__ = ["Report", "Scale", "owners_report", "show_print", "to_html"]

_REASONS, _FACTS, _SALES, _NOTES = 6, 14, 5, 3
_SHORT, _LONG = 70, 115

_STYLE = """
@page { margin: 11mm 15mm; }
* { box-sizing: border-box; overflow-wrap: anywhere; }
body { font: 9.2pt/1.34 "Source Sans 3", "Segoe UI", Arial, sans-serif; color: #22302c;
  max-width: 178mm; margin: 8mm auto; padding: 0 4mm; }
h1 { font: 600 19pt/1.15 Georgia, serif; margin: 0; }
h2 { font: 600 11pt Georgia, serif; margin: 3.5mm 0 1mm; border-bottom: .3mm solid #c9c3b4; }
p, ul { margin: 1mm 0; }
ul { padding-left: 5mm; }
.sub, .small { color: #56615c; }
.small { font-size: 8.3pt; }
.value { font: 600 27pt/1.1 Georgia, serif; color: #1d6a58; margin: 3mm 0 0; }
.facts { columns: 2; column-gap: 8mm; }
.facts p { display: flex; justify-content: space-between; gap: 3mm; margin: 0;
  border-bottom: .2mm dotted #c9c3b4; break-inside: avoid; white-space: nowrap; }
.facts b { overflow: hidden; text-overflow: ellipsis; }
table { width: 100%; border-collapse: collapse; font-size: 8.5pt; }
th, td { text-align: left; padding: .6mm 2mm .6mm 0; vertical-align: top;
  border-bottom: .2mm solid #e4dfd3; }
td.n, th.n { text-align: right; white-space: nowrap; }
svg { display: block; width: 100%; height: 17mm; margin: 2mm 0; }
.hint { background: #f3f0e8; padding: 2mm 3mm; border-radius: 2mm; }
@media print { body { margin: 0; padding: 0; max-width: none; } .hint { display: none; } }
"""


@dataclass(frozen=True)
class Scale:
    """The value, its range and what similar houses sold for, to be drawn on one line.

    All in money; ``ends`` are how the range's ends are written.
    """

    value: float
    low: float
    high: float
    ends: tuple[str, str]
    sold: tuple[float, ...] = ()


@dataclass(frozen=True)
class Report:
    """What stands in the report, all of it as a person reads it.

    Attributes
    ----------
    title, subtitle : str
    value : str
    certainty : tuple of str
        Sentences on range and confidence.
    scale : Scale, optional
    reasons : tuple of str
        Why the value is what it is; the first six are shown.
    facts : tuple of (str, str)
        Names of facts and what was told; the first fourteen are shown.
    sales : tuple of (str, ...)
        Similar sales, a cell for each of `sales_header`, the first two of them numbers; the first
        five are shown.
    sales_header : tuple of str
    notes : tuple of str
        What to know about this value; the first three are shown.
    limits : tuple of str
        What such a value can't be.
    foot : str
        Model, date and source.
    """

    title: str
    subtitle: str
    value: str
    certainty: tuple[str, ...]
    scale: Scale | None = None
    reasons: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    sales: tuple[tuple[str, ...], ...] = ()
    sales_header: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    limits: tuple[str, ...] = field(default=())
    foot: str = ""


def to_html(report: Report) -> bytes:
    """Write a report as one HTML file, in UTF-8.

    Long texts and lists are cut, so that it stays on one page.
    """
    parts = [
        f"<h1>{_text(report.title, _SHORT)}</h1>",
        f'<p class="sub">{_text(report.subtitle)}</p>',
        f'<p class="value">{_text(report.value, _SHORT)}</p>',
        *(f"<p>{_text(sentence)}</p>" for sentence in report.certainty),
        _drawn(report.scale) if report.scale else "",
        _listed("Why this value", report.reasons[:_REASONS]),
        _facts(report.facts[:_FACTS]),
        _table(report.sales_header, report.sales[:_SALES]),
        _listed("What to know about this value", report.notes[:_NOTES]),
        _listed("What this is not", report.limits),
        f'<p class="small">{_text(report.foot)}</p>',
        '<p class="hint">To print it or to save it as a PDF: Ctrl+P, or ⌘P on a Mac.</p>',
    ]
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{_text(report.title, _SHORT)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    ).encode()


def _text(told: str, most: int = _LONG) -> str:
    # Control characters have no place in HTML.
    calm = " ".join("".join(sign if sign.isprintable() else " " for sign in told).split())
    return html.escape(calm if len(calm) <= most else f"{calm[: most - 2].rstrip()} …")


def _listed(title: str, sentences: tuple[str, ...]) -> str:
    if not sentences:
        return ""
    items = "".join(f"<li>{_text(sentence)}</li>" for sentence in sentences)
    return f"<h2>{title}</h2><ul>{items}</ul>"


def _facts(facts: tuple[tuple[str, str], ...]) -> str:
    if not facts:
        return ""
    told = "".join(
        f"<p><span>{_text(name, 32)}</span><b>{_text(words, 26)}</b></p>" for name, words in facts
    )
    return f'<h2>The house, as it was told</h2><div class="facts">{told}</div>'


def _table(header: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> str:
    if not rows:
        return ""
    head = "".join(
        f"<th{_number(place)}>{_text(name, _SHORT)}</th>" for place, name in enumerate(header)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{_number(place)}>{_text(cell, 130)}</td>" for place, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f"<h2>Similar houses that sold</h2><table><tr>{head}</tr>{body}</table>"


def _number(place: int) -> str:
    return ' class="n"' if place < 2 else ""


def _drawn(scale: Scale) -> str:
    """One line of money: the range as a bar, the value as a mark, sales as rings."""
    shown = [scale.low, scale.high, scale.value, *scale.sold]
    least, most = min(shown), max(shown)
    width = (most - least) or 1.0

    def at(amount: float) -> float:
        return round(40 + 620 * (amount - least) / width, 1)

    rings = "".join(
        f'<circle cx="{at(price)}" cy="30" r="5" fill="none" stroke="#c25e2e" stroke-width="2"/>'
        for price in scale.sold
    )
    low, high, value = at(scale.low), at(scale.high), at(scale.value)
    key = "◆ value, bar: its range" + (", ○ similar sales" if scale.sold else "")
    return (
        f'<svg viewBox="0 0 700 66" role="img" aria-label="The value in its range">'
        f'<line x1="40" x2="660" y1="30" y2="30" stroke="#c9c3b4"/>'
        f'<rect x="{low}" y="22" width="{round(high - low, 1)}" height="16" rx="4" '
        f'fill="#1d6a58" fill-opacity="0.22"/>{rings}'
        f'<path d="M{value} 18 l9 12 l-9 12 l-9 -12 z" fill="#1d6a58"/>'
        f'<text x="{low}" y="56" text-anchor="middle" font-size="12">{_text(scale.ends[0])}</text>'
        f'<text x="{high}" y="56" text-anchor="middle" font-size="12">{_text(scale.ends[1])}</text>'
        f'<text x="660" y="12" text-anchor="end" font-size="11" fill="#56615c">{key}</text></svg>'
    )


logger = logging.getLogger(__name__)

T = TypeVar("T")

_LIMITS = (
    "It is no appraisal but a computer's estimate: nobody has seen the house.",
    "It knows only the facts of its form, not the view, the noise or the state inside.",
    "It holds for its date and its market. Prices elsewhere, or since then, may be others.",
)


def owners_report(
    backend: Backend,
    row: Mapping[str, object],
    answer: ValuationResult,
    contract: Contract,
    columns: Sequence[str],
    title: str = "",
    today: date | None = None,
) -> Report:
    """Gather what the report says; what the backend can't say is left out.

    Parameters
    ----------
    backend : Backend
    row : mapping of str to object
        The house as the form holds it.
    answer : Answer
        Its valuation.
    contract : Contract
    columns : sequence of str
        The facts to tell, the most important first.
    title : str
        The owner's name for the house.
    today : date, optional
    """
    info, rows = backend.info(), house_frame(row)
    valuation = answer.valuations.iloc[0]
    step = display_step(valuation["predicted_price"], valuation["fsd"])
    sales = _sales(backend, rows, info)
    low_high = _ends(valuation, contract, step)
    return Report(
        title=title or "The value of a house",
        subtitle=_when(info, today or date.today()),  # noqa: DTZ011 - the owner's day
        value=contract.money(valuation["predicted_price"], step),
        certainty=_certainty(valuation, low_high),
        scale=_scale(valuation, low_high, sales),
        reasons=_reasons(backend, rows, info),
        facts=_reported_facts(row, contract, columns),
        sales=tuple(_sale(sale, contract) for _, sale in sales.iterrows()),
        sales_header=("Sold for", "Alike", "When", "What differs from this house"),
        notes=tuple(p.message for p in answer.problems if p.severity == "warning"),
        limits=_LIMITS,
        foot=f"{as_of_sentence(info)} {answered_by(info)}",
    )


def _when(info: BackendInfo, today: date) -> str:
    as_of = f"Estimated value as of {info.as_of:%B %Y}" if info.as_of else "Estimated value"
    return f"{as_of}, {info.market_title}. Written on {today.day} {today:%B %Y}."


def _ends(valuation: pd.Series, contract: Contract, step: float) -> tuple[str, str] | None:
    if pd.isna(valuation["price_low"]):
        return None
    return (
        contract.money(valuation["price_low"], step),
        contract.money(valuation["price_high"], step),
    )


def _certainty(valuation: pd.Series, ends: tuple[str, str] | None) -> tuple[str, ...]:
    if ends is None:
        return ("The server that valued it gives no range.",)
    share = percent(valuation["interval"], 0)
    span = f"Range: {ends[0]} to {ends[1]}."
    told = [f"{span} The sale price lies in this range for {share} of such houses."]
    if not pd.isna(valuation["fsd"]):
        band = confidence_band(valuation["confidence"]).capitalize()
        told.append(
            f"{band} confidence, {valuation['confidence']:.0f} of 100: two sale prices in three "
            f"lie within {percent(valuation['fsd'], 0)} of the value."
        )
    return tuple(told)


def _scale(valuation: pd.Series, ends: tuple[str, str] | None, sales: pd.DataFrame) -> Scale | None:
    if ends is None:
        return None
    value, low, high = (
        float(valuation[name]) for name in ("predicted_price", "price_low", "price_high")
    )
    sold = tuple(float(price) for price in sales["price"]) if len(sales) else ()
    return Scale(value, low, high, ends, sold)


def _reasons(backend: Backend, rows: pd.DataFrame, info: BackendInfo) -> tuple[str, ...]:
    if "explain" not in info.capabilities:
        return ()
    return _or_nothing(lambda: backend.explain(rows).top_drivers(6), ())


def _sales(backend: Backend, rows: pd.DataFrame, info: BackendInfo) -> pd.DataFrame:
    if "comparables" not in info.capabilities:
        return pd.DataFrame()
    return _or_nothing(lambda: backend.comparables(rows), pd.DataFrame())


def _or_nothing(ask: Callable[[], T], nothing: T) -> T:
    """A report without a part is better than none: the download runs apart from any page."""
    try:
        return ask()
    except HousePriceError:
        logger.warning("a report lacks a part", exc_info=True)
        return nothing


def _reported_facts(
    row: Mapping[str, object], contract: Contract, columns: Iterable[str]
) -> tuple[tuple[str, str], ...]:
    house = validate(house_frame(row), contract).houses.iloc[0]
    return tuple(
        (contract.fields[column].label, contract.fields[column].format(float(house[column])))
        for column in columns
    )


def _sale(sale: pd.Series, contract: Contract) -> tuple[str, ...]:
    told = [str(sale["circumstances"]), *str(sale["differences"]).split("; ")[:2]]
    return (
        contract.money(sale["price"]),
        f"{sale['similarity']:.0f} %",
        str(sale["sold"]),
        "; ".join(filter(None, told)),
    )


def show_print(
    backend: Backend,
    row: Mapping[str, object],
    answer: ValuationResult,
    contract: Contract,
    columns: Sequence[str],
) -> None:
    """Offer the report as a file, made only when it is asked for.

    Parameters
    ----------
    backend : Backend
    row : mapping of str to object
        The house as the form holds it.
    answer : Answer
        Its valuation.
    contract : Contract
    columns : sequence of str
        The facts to tell, the most important first.
    """
    with st.popover("Report", icon=":material/print:", key="report", on_change="rerun") as report:
        if not report.open:
            return
        st.markdown("One page to print or to keep: value, range, reasons and similar sales.")
        title = st.text_input(
            "Name or address of the house",
            key="report_title",
            placeholder="may stay empty",
            help="Stands on top of the page. It is not kept.",
            max_chars=80,
            # While it is typed: a click on the download must not meet a page that runs anew.
            live=True,
            persist_state="session",
        )
        st.download_button(
            "Download the report",
            partial(_made, backend, dict(row), answer, contract, tuple(columns), title.strip()),
            file_name="house_value.html",
            mime="text/html",
            key="report_file",
            on_click="ignore",
            icon=":material/download:",
        )
        headed = f"“{escape(title.strip())}” stands on top. " if title.strip() else ""
        st.caption(f"{headed}The file opens in any browser. Print it there, or save it as a PDF.")


def _made(
    backend: Backend,
    row: Mapping[str, object],
    answer: ValuationResult,
    contract: Contract,
    columns: Sequence[str],
    title: str,
) -> bytes:
    return to_html(owners_report(backend, row, answer, contract, columns, title))
