"""The words of the figures."""

from __future__ import annotations

import pytest

from houseprice.model.baselines import BASELINES as GUESSES
from houseprice.model.ratio_study import ACCEPTED_RANGES
from houseprice.model.standards import (
    BASELINE_LABELS,
    STANDARD_SOURCES,
    STANDARDS,
    detailed_label,
    metric_help,
    metric_label,
    short_label,
)

MEASURED = (
    "rmsle", "rmse", "mae", "r2", "median_ape", "mean_ape", "median_ratio", "bias", "cod", "prd",
    "prb", "mki", "vei", "within_10", "coverage_90", "width_90", "winkler_90",
)  # fmt: skip


@pytest.mark.parametrize("metric", MEASURED)
def test_every_figure_has_a_name_and_a_meaning(metric: str) -> None:
    assert metric_label(metric) != metric
    assert short_label(metric)
    assert metric_help(metric).endswith(".")


def test_what_is_good_says_whose_word_that_is() -> None:
    assert set(STANDARDS) == set(STANDARD_SOURCES)
    assert STANDARDS.items() >= ACCEPTED_RANGES.items()
    assert STANDARDS["coverage_90"] == pytest.approx((0.88, 0.92))


def test_every_simple_guess_is_named() -> None:
    assert set(BASELINE_LABELS) == set(GUESSES)


def test_a_figure_that_leans_says_which_way() -> None:
    assert detailed_label("prd").endswith("(PRD); above 1, dear homes are valued low")
    assert detailed_label("mae") == "Average error"
