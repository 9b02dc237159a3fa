"""The owner's report is complete, and text of users or servers stays text."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from houseprice.backend.base import VALUATION_COLUMNS, Backend, BackendInfo, ValuationResult
from houseprice.errors import BackendTimeout
from houseprice.market.contract import load_contract
from houseprice.model.explanation import Explanation
from houseprice.ui.house.owner_report import Report, Scale, build_report, render_report
from tests.hamlet import write_hamlet

HOSTILE = "<script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>\"'&\x00\u202e"

REPORT = Report(
    title="12 Oak Lane",
    subtitle="Estimated value as of July 2010, Hamlet.",
    value="€181,000",
    uncertainty=("90 % range: €165,000 to €198,000.", "High confidence."),
    scale=Scale(181_000.0, 165_000.0, 198_000.0, ("€165,000", "€198,000"), (170_000.0, 205_000.0)),
    reasons=("Floor area: 150 sq m, +€12,000",),
    fields=(("Floor area", "150 sq m"),),
    sales=(("€170,000", "€175,000", "93 %", "June 2019", "Grade: Good instead of Grand"),),
    warnings=("Garden beds: 20 is outside the range of the sales.",),
    limits=("It is no appraisal.",),
    footer="Model hamlet-1.",
)


class Reader(HTMLParser):
    """Collects the tags, attributes and text of a page."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_it_contains_all_content():
    text = Reader(render_report(REPORT)).text
    for part in (
        *(REPORT.title, REPORT.subtitle, REPORT.value, *REPORT.uncertainty, *REPORT.reasons),
        *(*REPORT.fields[0], *REPORT.sales[0], *REPORT.warnings, *REPORT.limits, REPORT.footer),
    ):
        assert part in text


def test_hostile_text_adds_no_element_and_no_attribute():
    hostile = Report(
        title=HOSTILE,
        subtitle=HOSTILE,
        value=HOSTILE,
        uncertainty=(HOSTILE,),
        scale=Scale(2.0, 1.0, 3.0, (HOSTILE, HOSTILE)),
        reasons=(HOSTILE,),
        fields=((HOSTILE, HOSTILE),),
        sales=((HOSTILE,) * 5,),
        warnings=(HOSTILE,),
        limits=(HOSTILE,),
        footer=HOSTILE,
    )
    page, expected = Reader(render_report(hostile)), Reader(render_report(REPORT))
    assert page.tags <= expected.tags
    assert page.attributes <= expected.attributes
    assert page.text.count("alert(1)") > 10
    assert "\x00" not in page.text
    assert "\u202e" not in page.text


def test_it_loads_and_runs_nothing():
    page = render_report(REPORT).decode()
    assert "default-src 'none'" in page
    assert not re.search(r"https?:|url\(|@import|<script|<link|<img", page)


def test_a_missing_part_leaves_no_empty_heading():
    text = Reader(
        render_report(replace(REPORT, scale=None, reasons=(), sales=(), warnings=()))
    ).text
    assert not [title for title in ("Why this value", "Similar sales", "Warnings") if title in text]


def test_a_range_without_width_is_drawn():
    point = replace(REPORT, scale=Scale(5.0, 5.0, 5.0, ("€5", "€5"), (5.0,)))
    assert "nan" not in render_report(point).decode()


class FailingBackend(Backend):
    """A backend of which the ``failing`` methods time out."""

    def __init__(self, *failing: str) -> None:
        self.failing = failing

    def info(self) -> BackendInfo:
        return BackendInfo("a stub", "1", "", "Hamlet", None, None, None)

    def value(self, *_: object, **__: object) -> ValuationResult:
        valuation = dict.fromkeys(VALUATION_COLUMNS, "") | {
            "predicted_price": 181_000.0,
            "price_low": 165_000.0,
            "price_high": 198_000.0,
            "interval": 0.9,
            "fsd": 0.06,
            "confidence": 94.0,
        }
        return ValuationResult(pd.DataFrame([valuation]), ())

    def explain(self, *_: object) -> Explanation:
        self.fail("explain")
        row = {"column": "size", "contribution": 12_000.0, "sentence": "Floor area: 150 sq m"}
        return Explanation(169_000.0, 181_000.0, pd.DataFrame([row]))

    def comparables(self, *_: object, **__: object) -> pd.DataFrame:
        self.fail("comparables")
        sale = {
            "price": 170_000.0,
            "adjusted_price": np.nan,
            "similarity": 93.0,
            "sold": "June 2019",
        }
        return pd.DataFrame([sale | {"circumstances": "", "differences": "Grade: Good"}])

    def fail(self, method: str) -> None:
        if method in self.failing:
            raise BackendTimeout("Too slow.", reason="slow")


@pytest.mark.parametrize("failing", [(), ("explain",), ("comparables",)])
def test_a_report_without_one_part_has_the_others(failing, tmp_path):
    contract = load_contract(write_hamlet(tmp_path))
    row = dict.fromkeys(contract.columns) | {"size": 150, "quarter": "N"}
    backend = FailingBackend(*failing)
    result = backend.value()
    day = date(2026, 1, 2)
    report = build_report(backend, row, result, contract, ["size"], today=day)
    assert report.value == "€181,000"
    assert report.fields == (("Floor area", "150 sq m"),)
    assert bool(report.reasons) == ("explain" not in failing)
    assert bool(report.sales) == ("comparables" not in failing)
