"""Metrics in words, with their units."""

from __future__ import annotations

from houseprice.commands.evaluate import table


def test_figures_are_aligned_with_their_units() -> None:
    shown = table(["a", "longer"], [{"mae": 1234.6, "within_10": 0.5}, {"mae": 9.0}], "€")
    assert shown.splitlines() == [
        "                                a  longer",
        "Mean absolute error (MAE)  €1,235      €9",
        "Within 10 % of the price   50.0 %",
    ]
