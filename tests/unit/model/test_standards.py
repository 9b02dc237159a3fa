"""Labels, formats and standards of the metrics."""

import pytest

from houseprice.model.baselines import BASELINES
from houseprice.model.ratio_study import ACCEPTED_RANGES
from houseprice.model.standards import (
    BASELINE_LABELS,
    STANDARD_SOURCES,
    STANDARDS,
    column_labels,
    detailed_label,
    format_metric,
    metric_help,
    metric_label,
    short_label,
)

MEASURED = (
    "rmsle", "rmse", "mae", "r2", "median_ape", "mean_ape", "median_ratio", "bias", "cod", "prd",
    "prb", "mki", "vei", "within_10", "coverage_90", "width_90", "winkler_90",
)  # fmt: skip


def test_every_metric_has_a_label_and_a_help_text():
    for metric in MEASURED:
        assert metric_label(metric) != metric
        assert short_label(metric)
        assert metric_help(metric).endswith(".")
        assert "{}" not in metric_label(metric) + short_label(metric) + metric_help(metric)


def test_labels_contain_the_level_and_unknown_metrics_keep_their_name():
    assert metric_label("coverage_80") == "Coverage of the 80 % interval"
    assert column_labels(["within_10"], "share") == {"within_10": "Within 10 % (share)"}
    assert (
        detailed_label("prd") == "Vertical equity (PRD); above 1, expensive homes are undervalued"
    )
    assert detailed_label("mae") == metric_label("mae")
    assert metric_label("mood") == "mood"
    assert metric_help("mood") == ""


def test_every_standard_has_a_source_and_every_baseline_a_label():
    assert set(STANDARDS) == set(STANDARD_SOURCES)
    assert STANDARDS.items() >= ACCEPTED_RANGES.items()
    assert STANDARDS["coverage_90"] == pytest.approx((0.88, 0.92))
    assert set(BASELINE_LABELS) == set(BASELINES)


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("rmsle", 0.12345, "0.1235"),
        ("vei", -4.06, "-4.1"),
        ("prb", -0.0001, "0.000"),
        ("bias", -0.0002, "0.0 %"),
        ("mae", 1234.6, "$1,235"),
        ("mae", None, ""),
    ],
)
def test_a_metric_is_formatted_with_its_unit(metric, value, text):
    assert format_metric(metric, value, "$") == text
