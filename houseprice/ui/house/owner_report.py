"""The owner's report of a house: one HTML page to print or to keep.

The file needs no network, and its content security policy forbids it to load or run anything. It
fits one page of A4 or US Letter: long texts and lists are cut.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from houseprice.backend.base import Backend, ValuationResult
from houseprice.errors import HousePriceError
from houseprice.formatting import difference_step, display_step, percent, plural
from houseprice.market.contract import Contract
from houseprice.market.validation import validate
from houseprice.model.valuation import confidence_band
from houseprice.ui.house.evidence import find_comparables
from houseprice.ui.house.state import dated_info, house_frame, started_from
from houseprice.ui.layout import answered_by, as_of_sentence, escape

if TYPE_CHECKING:
    from jinja2 import Template

logger = logging.getLogger(__name__)

_LIMITS = (
    "This is a computer's estimate, not an appraisal: no one has inspected the house.",
    "The model knows only the fields of the form, not the view, the noise or the condition inside.",
    "The value is valid for its date and its market. Prices elsewhere or later may differ.",
)


@dataclass(frozen=True)
class Scale:
    """The value, its range (``labels``: as text) and similar sales, drawn on one line."""

    value: float
    low: float
    high: float
    labels: tuple[str, str]
    sold: tuple[float, ...] = ()

    def x(self, amount: float) -> float:
        """Return the position of an amount in the drawing, from 40 to 660."""
        amounts = [self.low, self.high, self.value, *self.sold]
        width = (max(amounts) - min(amounts)) or 1.0
        return round(40 + 620 * (amount - min(amounts)) / width, 1)


@dataclass(frozen=True)
class Report:
    """The content of the report, as text.

    ``sales`` are price, adjusted price, similarity, date, differences.
    """

    title: str
    subtitle: str
    value: str
    uncertainty: tuple[str, ...]
    scale: Scale | None = None
    reasons: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    sales: tuple[tuple[str, str, str, str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    limits: tuple[str, ...] = _LIMITS
    footer: str = ""


def render_report(report: Report) -> bytes:
    """Render a report as an HTML file in UTF-8."""
    return _template().render(report=report).encode()


@cache
def _template() -> Template:
    # Not at the top: only a download needs it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
    )
    environment.filters["clean"] = _clean
    return environment.get_template("owner_report.html.j2")


def _clean(text: str, max_length: int = 115) -> str:
    """Remove control characters, which HTML does not allow, and cut a long text."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    text = " ".join(printable.split())
    return text if len(text) <= max_length else f"{text[: max_length - 2].rstrip()} …"


def build_report(
    backend: Backend,
    row: Mapping[str, object],
    result: ValuationResult,
    contract: Contract,
    columns: Sequence[str],
    title: str = "",
    sale_id: str | None = None,
    today: date | None = None,
) -> Report:
    """Collect the content of the report; parts that the backend can't provide are left out."""
    rows = house_frame(row)
    info = dated_info(backend, rows, contract)
    today = today or date.today()  # noqa: DTZ011 - the owner's day
    valuation = result.valuations.iloc[0]
    step = display_step(valuation["predicted_price"], valuation["fsd"])
    house = validate(rows, contract).houses.iloc[0]
    reasons: tuple[str, ...] = ()
    sales = pd.DataFrame({"price": []})
    if "explain" in info.capabilities:
        with _left_out_on_error("reasons"):
            explanation = backend.explain(rows)
            nearby = [explanation.nearby.sentence] if explanation.nearby else []
            reasons = (*explanation.top_drivers(6 - len(nearby)), *nearby)
    if "comparables" in info.capabilities:
        with _left_out_on_error("comparables"):
            sales = find_comparables(backend, rows, contract, sale_id)
    scale = None
    uncertainty: tuple[str, ...] = ("The server does not give a range.",)
    if not pd.isna(valuation["price_low"]):
        value, low, high = (
            float(valuation[name]) for name in ("predicted_price", "price_low", "price_high")
        )
        labels = contract.money(low, step), contract.money(high, step)
        scale = Scale(value, low, high, labels, tuple(sales["price"].astype(float)))
        uncertainty = _uncertainty(valuation, labels)
    n_given = sum(value not in (None, "unknown") for value in row.values())
    uncertainty += (
        f"{n_given} of {plural(len(row), 'fact')} given; the others count as not known.",
    )
    as_of = f"Estimated value as of {info.as_of:%B %Y}" if info.as_of else "Estimated value"
    return Report(
        title=title or "The value of a house",
        subtitle=f"{as_of}, {info.market_title}. Written on {today.day} {today:%B %Y}.",
        value=contract.money(valuation["predicted_price"], step),
        uncertainty=uncertainty,
        scale=scale,
        reasons=reasons,
        fields=tuple(
            (contract.fields[column].label, contract.fields[column].format(float(house[column])))
            for column in columns
        ),
        sales=tuple(_sale_cells(sale, contract) for _, sale in sales.iterrows()),
        warnings=tuple(
            problem.message
            for problem in result.problems
            if problem.severity == "warning" and problem.code != "blank_typical"
        ),
        footer=f"{as_of_sentence(info)} {answered_by(info)}",
    )


@contextmanager
def _left_out_on_error(part: str) -> Iterator[None]:
    # The download runs outside of a page: a report without a part is better than an error.
    try:
        yield
    except HousePriceError:
        logger.warning("the report has no %s", part, exc_info=True)


def _uncertainty(valuation: pd.Series, labels: tuple[str, str]) -> tuple[str, ...]:
    share = percent(valuation["interval"], 0)
    range_text = f"{share} range: {labels[0]} to {labels[1]}."
    sentences = [f"{range_text} It contains the sale price of {share} of such houses."]
    if not pd.isna(valuation["fsd"]):
        band = confidence_band(valuation["confidence"]).capitalize()
        sentences.append(
            f"{band} confidence, {valuation['confidence']:.0f} of 100: two sale prices in three "
            f"are within {percent(valuation['fsd'], 0)} of the value."
        )
    return tuple(sentences)


def _sale_cells(sale: pd.Series, contract: Contract) -> tuple[str, str, str, str, str]:
    differences = [str(sale["circumstances"]), *str(sale["differences"]).split("; ")[:2]]
    adjusted, step = sale["adjusted_price"], difference_step(sale["price"])
    return (
        contract.money(sale["price"]),
        "" if pd.isna(adjusted) else contract.money(adjusted, step),
        f"{sale['similarity']:.0f} %",
        str(sale["sold"]),
        "; ".join(filter(None, differences)),
    )


def show_report(
    backend: Backend,
    row: Mapping[str, object],
    result: ValuationResult,
    contract: Contract,
    columns: Sequence[str],
) -> None:
    """Offer the report as a download, rendered on click; ``columns`` are the fields to list."""
    st.markdown("One page to print or to keep: value, range, reasons and similar sales.")
    title = st.text_input(
        "Name or address of the house",
        key="report_title",
        placeholder="optional",
        help="The title of the page. It is not stored.",
        max_chars=80,
        # While typing: a click on the download must not meet a page that is being rerun.
        live=True,
        persist_state="session",
    ).strip()
    sale_id = started_from()
    st.download_button(
        "Download the report",
        lambda: render_report(
            build_report(backend, row, result, contract, columns, title, sale_id)
        ),
        file_name="house_value.html",
        mime="text/html",
        key="report_file",
        on_click="ignore",
        icon=":material/download:",
    )
    titled = f"The title is “{escape(title)}”. " if title else ""
    st.caption(f"{titled}The file opens in any browser, to print or to save as a PDF.")
