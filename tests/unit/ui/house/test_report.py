"""The owner's report: everything a reader needs, and nothing that a stranger put there runs."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from houseprice.ui.house.owner_report import Report, Scale, to_html

HOSTILE = "<script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>\"'&\x00\u202e"

REPORT = Report(
    title="12 Oak Lane",
    subtitle="Estimated value as of July 2010, Hamlet.",
    value="€181,000",
    certainty=("Range: €165,000 to €198,000.", "High confidence."),
    scale=Scale(181_000.0, 165_000.0, 198_000.0, ("€165,000", "€198,000"), (170_000.0, 205_000.0)),
    reasons=("Floor area: 150 sq m, +€12,000",),
    facts=(("Floor area", "150 sq m"),),
    sales=(("€170,000", "93 %", "June 2019", "Grade: Good instead of Grand"),),
    sales_header=("Sold for", "Alike", "When", "What differs"),
    notes=("Garden beds: 20 is outside what the sales cover.",),
    limits=("It is no appraisal.",),
    foot="Model hamlet-1.",
)


class Reader(HTMLParser):
    """Collects the elements and texts of a page."""

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


def test_it_tells_all_that_it_was_given() -> None:
    text = Reader(to_html(REPORT)).text
    for told in (
        *(REPORT.title, REPORT.subtitle, REPORT.value, *REPORT.certainty, *REPORT.reasons),
        *(*REPORT.facts[0], *REPORT.sales[0], *REPORT.notes, *REPORT.limits, REPORT.foot),
    ):
        assert told in text


def test_what_a_stranger_wrote_is_text_wherever_it_stands() -> None:
    hostile = Report(
        title=HOSTILE,
        subtitle=HOSTILE,
        value=HOSTILE,
        certainty=(HOSTILE,),
        scale=Scale(2.0, 1.0, 3.0, (HOSTILE, HOSTILE)),
        reasons=(HOSTILE,),
        facts=((HOSTILE, HOSTILE),),
        sales=((HOSTILE,) * 4,),
        sales_header=(HOSTILE,) * 4,
        notes=(HOSTILE,),
        limits=(HOSTILE,),
        foot=HOSTILE,
    )
    read, calm = Reader(to_html(hostile)), Reader(to_html(REPORT))
    assert read.tags <= calm.tags
    assert read.attributes <= calm.attributes
    assert "alert(1)" in read.text
    assert "\x00" not in read.text
    assert "\u202e" not in read.text


def test_it_loads_and_runs_nothing() -> None:
    page = to_html(REPORT).decode()
    assert "default-src 'none'" in page
    assert not re.search(r"https?:|url\(|@import|<script|<link|<img", page)


@pytest.mark.parametrize("bare", [replace(REPORT, scale=None, reasons=(), sales=(), notes=())])
def test_what_is_not_known_leaves_no_empty_heading(bare: Report) -> None:
    text = Reader(to_html(bare)).text
    assert "Why this value" not in text
    assert "Similar houses" not in text
    assert "What to know" not in text


def test_a_range_without_width_is_drawn_all_the_same() -> None:
    one = replace(REPORT, scale=Scale(5.0, 5.0, 5.0, ("€5", "€5"), (5.0,)))
    assert "nan" not in to_html(one).decode()
