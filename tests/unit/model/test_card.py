"""The model card discloses what a reader needs to know, for the model at hand."""

import json
import re
from itertools import pairwise

import pandas as pd
import pytest

from houseprice.formatting import percent
from houseprice.model.card import Card, card_data, escape_markdown, format_date, relative_to_price
from houseprice.model.evaluation import out_of_fold_evaluation
from houseprice.model.report import build_report
from houseprice.model.store.store import ModelStore
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
MEASURED = ["Accuracy", "Interval calibration", "Equity (ratio study)", "Feature importance"]


@pytest.fixture(scope="module")
def report(hamlet, valuer, training_sales):
    held_out = out_of_fold_evaluation(valuer, *training_sales)
    return build_report(held_out, training_sales[0], hamlet.contract, n_resamples=50)


@pytest.fixture(scope="module")
def loaded(hamlet, valuer, report, tmp_path_factory):
    store = ModelStore(tmp_path_factory.mktemp("cards") / "models")
    version = store.save(valuer, hamlet, report.metrics, IMPORTANCE, report=report)
    return store.load(version.name)


def test_the_card_names_its_version_market_and_date(loaded):
    card, manifest = loaded.card, loaded.manifest
    assert card.data["version"]["model_version"] == manifest.model_version
    checksum = manifest.files["model.joblib"].sha256
    assert card.data["version"]["files"]["model.joblib"] == checksum
    assert card.data["as_of"] == "2020-12-31"
    text = card.markdown.replace("\\", "")
    assert text.startswith("# Model card: Hamlet\n\n**Values are as of 31 December 2020.**")
    for value in (manifest.model_version, manifest.data_sha256, manifest.contract_sha256, checksum):
        assert value in text


def test_every_disclosure_has_its_section_and_statements(loaded):
    text, data = loaded.card.markdown, loaded.card.data
    sections = ["Intended use", "Training data", "Features", "Method", *MEASURED, "Limitations"]
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [*sections, "Version"]
    for subject in ("purpose", "not_for", "method", "limits", "corrections"):
        assert data[subject]
        assert all(escape_markdown(sentence) in text for sentence in data[subject])


def test_the_training_data_and_every_field_are_described(loaded, hamlet):
    text = loaded.card.markdown
    assert "400 sales of 2015 to 2020" in text
    assert "Source: A seeded random generator.\n" in text
    assert all(field.label in text for field in hamlet.contract.fields.values())
    assert "Required: Floor area, Quarter." in text
    assert re.search(r"sales? (is|are) excluded", text)


def test_the_metrics_of_the_card_are_those_of_the_report(loaded, report):
    text = loaded.card.markdown
    assert loaded.card.data["metrics"]["rmsle"] == report.metrics["rmsle"]
    assert f"| {percent(report.metrics['median_ape'])} |" in text
    assert f"| 90 % | {percent(report.metrics['coverage_90'])} |" in text
    worst = report.by_location.iloc[0]
    assert f"{worst['group']}: {percent(worst['coverage_90'])} of {worst['sales']} sales" in text
    cod = report.equity.set_index("figure").loc["cod"]
    assert f"(COD) | {cod['value']:.1f} | {cod['low']:.1f} to {cod['high']:.1f} |" in text


def test_only_fields_with_a_measured_importance_are_ranked(loaded):
    ranked = loaded.card.markdown.partition("## Feature importance")[2].partition("##")[0]
    assert "| Floor area | 12.35 points | €9,876 |" in ranked
    assert "Grade" not in ranked
    assert loaded.card.data["importance"][1]["importance_pct"] is None


def test_tables_are_complete_and_no_value_is_missing(loaded):
    text = loaded.card.markdown
    for line, following in pairwise(text.replace("\\|", "").splitlines()):
        if line.startswith("|") and following.startswith("|"):
            assert line.count("|") == following.count("|")
    assert text.count("| :-- | --:") == 10
    assert "\n\n\n" not in text
    assert "nan" not in text.casefold().replace("finance", "")
    assert "None" not in text


def test_the_files_of_a_card_read_back_and_contain_no_nan(loaded):
    files = loaded.card.files()
    assert json.loads(files["card.json"]) == loaded.card.data
    assert b"NaN" not in files["card.json"]
    assert Card.from_files(files) == loaded.card


def test_a_card_without_a_report_omits_what_was_not_measured(hamlet, tmp_path):
    model, importance = ValuationModel(hamlet.contract), pd.DataFrame({"column": []})
    assert card_data(model, hamlet, {}, importance)["data"]["left_out"] is None
    store = ModelStore(tmp_path / "models")
    text = store.load(store.save(model, hamlet, {}, importance).name).card.markdown
    assert "## Intended use" in text
    assert not [section for section in MEASURED if section in text]


def test_text_is_escaped_and_values_are_written_in_words():
    escaped = escape_markdown("a|b $x$\n*c* [d](e) <f>").replace("\u2060", "")
    assert escaped == r"a\|b \$x\$ \*c\* \[d\](e) \<f\>"
    assert format_date("2010-07-31") == "31 July 2010"
    assert relative_to_price(1.027) == "2.7 % above the price"
    assert relative_to_price(0.982) == "1.8 % below the price"
    assert relative_to_price(1.0001) == "at the price"
