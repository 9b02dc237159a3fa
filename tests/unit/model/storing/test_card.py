"""The card says what a stranger has to know of a model, and says it of this model."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from houseprice.market.sales import Market
from houseprice.model.card import Card, above, card_data, day, fixed, money, percent, safe, table
from houseprice.model.evaluation import out_of_fold_evaluation
from houseprice.model.report import Report, build_report
from houseprice.model.store.store import LoadedModel, ModelStore
from houseprice.model.valuation import ValuationModel

IMPORTANCE = pd.DataFrame(
    {
        "column": ["size", "grade"],
        "label": ["Floor area", "Grade"],
        "importance_pct": [12.345, float("nan")],
        "spread_pct": [1.0, 1.0],
        "importance_money": [9_876.5, float("nan")],
        "spread_money": [1.0, 1.0],
    }
)


@pytest.fixture(scope="module")
def report(hamlet: Market, valuer: ValuationModel, learned: range) -> Report:
    houses, prices = hamlet.houses.iloc[list(learned)], hamlet.prices.iloc[list(learned)]
    held_out = out_of_fold_evaluation(valuer, houses, prices)
    return build_report(held_out, houses, hamlet.contract, n_resamples=50)


@pytest.fixture(scope="module")
def loaded(
    hamlet: Market,
    valuer: ValuationModel,
    report: Report,
    tmp_path_factory: pytest.TempPathFactory,
) -> LoadedModel:
    store = ModelStore(tmp_path_factory.mktemp("cards") / "models")
    version = store.save(valuer, hamlet, report.metrics, IMPORTANCE, report=report)
    return store.load(version.name)


def test_the_card_names_its_version_market_and_date(loaded: LoadedModel):
    card, manifest = loaded.card, loaded.manifest
    version = card.data["version"]
    assert version["model_version"] == manifest.model_version
    assert version["files"]["model.joblib"] == manifest.files["model.joblib"].sha256
    assert card.data["as_of"] == "2020-12-31"
    assert "# Model card: Hamlet" in card.markdown
    assert "Values stand for 31 December 2020." in card.markdown
    for fact in (manifest.model_version, manifest.data_sha256, manifest.contract_sha256):
        assert fact in card.markdown.replace("\\", "")


@pytest.mark.parametrize(
    "heading",
    [
        "What it is for",
        "What it learned from",
        "What it looks at",
        "How it works",
        "How close it comes",
        "How honest its ranges are",
        "How fair it is to cheap and dear homes",
        "What matters most",
        "What it can't do",
        "Version",
    ],
)
def test_every_disclosure_has_its_heading(loaded: LoadedModel, heading: str):
    assert loaded.card.markdown.count(f"\n## {heading}\n") == 1


def test_the_card_says_what_it_is_not_for_and_who_can_correct_a_fact(loaded: LoadedModel):
    text = loaded.card.markdown
    assert "It is not for:" in text
    assert "an appraisal" in text
    assert "A fact is wrong?" in text
    facts = loaded.card.data
    for subject in ("purpose", "not_for", "method", "limits", "corrections"):
        assert facts[subject]
        assert all(safe(sentence) in text for sentence in facts[subject])


def test_data_and_fields_are_told_in_words(loaded: LoadedModel, hamlet: Market):
    text = loaded.card.markdown
    assert "400 sales of 2015 to 2020" in text
    assert "A seeded random generator." in text
    for field in hamlet.contract.fields.values():
        assert field.label in text
    assert "Must be known: Floor area, Quarter." in text
    assert re.search(r"sales? (is|are) left out", text)


def test_the_figures_of_the_card_are_those_of_the_report(loaded: LoadedModel, report: Report):
    text, facts = loaded.card.markdown, loaded.card.data
    assert facts["metrics"]["rmsle"] == report.metrics["rmsle"]
    assert f"| {percent(report.metrics['median_ape'])} |" in text
    assert f"| 90 % | {percent(report.metrics['coverage_90'])} |" in text
    worst = report.by_location.iloc[0]
    assert f"{worst['group']}: {percent(worst['coverage_90'])} of {worst['sales']} sales" in text
    cod = report.equity.set_index("figure").loc["cod"]
    assert f"(COD) | {cod['value']:.1f} | {cod['low']:.1f} to {cod['high']:.1f} |" in text


def test_only_facts_with_a_measured_importance_are_ranked(loaded: LoadedModel):
    ranked = loaded.card.markdown.partition("What matters most")[2].partition("##")[0]
    assert "| Floor area | 12.35 points | €9,876 |" in ranked
    assert "Grade" not in ranked
    assert loaded.card.data["importance"][1]["importance_pct"] is None


def test_tables_are_whole_and_nothing_is_left_to_be_filled_in(loaded: LoadedModel):
    lines = loaded.card.markdown.splitlines()
    for line, following in pairwise(lines):
        if line.startswith("|") and following.startswith("|"):
            assert line.replace("\\|", "").count("|") == following.replace("\\|", "").count("|")
    assert "nan" not in loaded.card.markdown.casefold().replace("finance", "")
    assert "None" not in loaded.card.markdown


def test_the_card_in_json_holds_numbers_and_no_nan(loaded: LoadedModel):
    files = loaded.card.files()
    assert json.loads(files["card.json"]) == loaded.card.data
    assert b"NaN" not in files["card.json"]
    assert Card.read(files) == loaded.card


def test_a_card_without_a_report_leaves_out_what_was_not_measured(hamlet: Market, tmp_path: Path):
    model = ValuationModel(hamlet.contract)
    facts = card_data(model, hamlet, {}, pd.DataFrame({"column": []}))
    assert facts["data"]["left_out"] is None
    store = ModelStore(tmp_path / "models")
    card = store.load(store.save(model, hamlet, {}, pd.DataFrame({"column": []})).name).card
    assert "## What it is for" in card.markdown
    for heading in ("How close", "How honest", "How fair", "What matters"):
        assert heading not in card.markdown


def test_a_text_cannot_become_markup():
    assert safe("a|b $x$\n*c* [d](e) <f>") == r"a\|b \$x\$ \*c\* \[d\](e) \<f\>"
    assert money("$", 181_000.4) == r"\$181,000"
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| :-- | --: |\n| 1 | 2 |"


def test_numbers_are_said_plainly():
    assert fixed(-0.0004, 3) == "0.000"
    assert percent(-0.0001) == "0.0 %"
    assert day("2010-07-31") == "31 July 2010"
    assert above(1.027) == "2.7 % above the price"
    assert above(0.982) == "1.8 % below the price"
    assert above(1.0001) == "at the price"
