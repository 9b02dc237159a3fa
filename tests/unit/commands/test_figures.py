"""Metrics in words, with their units."""

from __future__ import annotations

from houseprice.commands.evaluate import table
from houseprice.model.standards import format_metric, metric_label


def test_figures_are_aligned_with_their_units() -> None:
    shown = table(["a", "longer"], [{"mae": 1234.6, "within_10": 0.5}, {"mae": 9.0}], "€")
    assert shown.splitlines() == [
        "                                      a  longer",
        "Average error                    €1,235      €9",
        "Values within 10 % of the price  50.0 %",
    ]


def test_a_metric_has_a_name_for_people_and_keeps_its_own_where_it_has_none() -> None:
    assert metric_label("coverage_80") == "Prices inside their 80 % range"
    assert metric_label("cod") == "Spread of the ratios (COD)"
    assert metric_label("mood") == "mood"


def test_a_metric_is_written_with_its_unit() -> None:
    assert format_metric("rmsle", 0.12345, "$") == "0.1235"
    assert format_metric("vei", -4.06, "$") == "-4.1"
    assert format_metric("prb", -0.0001, "$") == "0.000"
    assert format_metric("bias", -0.0002, "$") == "0.0 %"
    assert format_metric("mae", None, "$") == ""
