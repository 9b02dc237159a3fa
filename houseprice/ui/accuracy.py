"""How good the values are, in words, from the metrics that a backend publishes."""

from __future__ import annotations

from collections.abc import Mapping

from houseprice.backend.base import About
from houseprice.ui.messages import percent

__all__ = ["accuracy_in_words", "how_measured", "which_day"]


def accuracy_in_words(metrics: Mapping[str, float]) -> list[str]:
    """Say the metrics that people ask for, the typical error first; what is not there is not said.

    Parameters
    ----------
    metrics : mapping of str to float
        By the names of :mod:`houseprice.model.measuring.metrics`; shares between 0 and 1.
    """
    said = []
    if "median_ape" in metrics:
        error = percent(metrics["median_ape"])
        said.append(f"**Half of the values** are within **{error}** of the sale price.")
    within = [
        f"{percent(metrics[f'within_{limit}'], 0)} are within {limit} %"
        for limit in (10, 20)
        if f"within_{limit}" in metrics
    ]
    if within:
        said.append(f"{' and '.join(within)}.".replace("are", "of the values are", 1))
    if "coverage_90" in metrics:
        said.append(
            "A range is given with each value, and is meant to hold the sale price in 90 % of "
            f"cases. **It held it in {percent(metrics['coverage_90'])}.**"
        )
    return said


def how_measured(about: About) -> str:
    """Say which model the accuracy is of, and what it was measured on, as far as it is told."""
    model = f"Model {about.model_version}" if about.model_version else "The model of the server"
    trained = f", trained {about.trained_at:%d %B %Y}" if about.trained_at else ""
    if not about.metrics:
        return f"{model}{trained}. This server does not say how good its values are."
    return (
        f"{model}{trained}. Measured on sales that the model had not seen: each was valued by a "
        "model fitted on the others."
    )


def which_day(about: About | None) -> str:
    """Say which day the values stand for; nothing while nobody answers."""
    if about is None:
        return ""
    if about.as_of is None:
        return (
            "- The server does not say **which day** its values stand for. They are not today's "
            "prices.\n"
        )
    return (
        f"- Values stand for **{about.as_of:%B %Y}**, the end of the sales. They are not today's "
        "prices.\n"
    )
