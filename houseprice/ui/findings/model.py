"""What the charts of the model show, each in a sentence computed from the frame that it draws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from houseprice.market.fields import Field
from houseprice.model.measuring.words import in_words
from houseprice.model.studying.errors import Drift
from houseprice.ui.messages import percent

__all__ = [
    "calibration_finding",
    "confidence_finding",
    "drift_finding",
    "drifting_facts",
    "guesses_finding",
    "place_finding",
    "price_finding",
    "ratio_finding",
    "sales_finding",
    "tried_finding",
    "versus_finding",
]


def sales_finding(missed: pd.DataFrame) -> str:
    """Say how many held-out values came close, and how many ranges held."""
    near = (missed["error"].abs() <= 0.1).mean()
    held = int(missed["inside"].sum())
    return (
        f"Of {len(missed):,} sales, **{percent(near, 0)}** were valued within 10 % of the price, "
        f"by a model that had not seen them. {held:,} ({percent(held / len(missed))}) were sold "
        "inside the range that was meant to hold 90 %."
    )


def drift_finding(found: Drift, field: Field) -> str:
    """Say whether the error has to do with a fact, and where values are highest and lowest."""
    label, middles = f"**{field.label}**", found.middles
    if len(middles) < 2:
        return f"Too few sales differ in {label} to say whether the error has to do with it."
    lowest, highest = middles.idxmin(), middles.idxmax()
    span = f"{middles.min():+.1f} % and {middles.max():+.1f} %".replace("-", "−")
    if not found.is_more_than_chance():
        return (
            f"The error does not drift with {label}: the middle error of its groups lies between "
            f"{span}, no further apart than chance makes them."
        )
    return (
        f"**The error drifts** with {field.label}: values are {_off(middles.max())} in the middle "
        f"for {highest}, and {_off(middles.min())} for {lowest}. Chance alone would rarely do that."
    )


def drifting_facts(drifts: pd.Series, facts: int) -> str:
    """Name the facts that the error drifts with, the strongest first (strength by label)."""
    if not len(drifts):
        return (
            f"Of {facts} facts, the error drifts with none more than chance allows in so many: the "
            "model uses them up."
        )
    named = ", ".join(f"{label}" for label in list(drifts.index)[:5])
    more = f" and {len(drifts) - 5} more" if len(drifts) > 5 else ""
    return f"Of {facts} facts, the error drifts with {len(drifts)}: {named}{more}."


def place_finding(places: pd.DataFrame, fewest: int) -> str:
    """Say where values are closest and where they are furthest off."""
    enough = places[places["sales"] >= fewest].sort_values("median_ape")
    if len(enough) < 2:
        return f"Only {len(enough)} of {len(places)} places has {fewest} sales, too few to compare."
    best, worst = enough.iloc[0], enough.iloc[-1]
    return (
        f"Among places with {fewest} sales or more, values are closest in **{best['group']}** "
        f"(half are off by at most {percent(best['median_ape'])}) and furthest off in "
        f"**{worst['group']}** ({percent(worst['median_ape'])})."
    )


def price_finding(prices: pd.DataFrame) -> str:
    """Say whether cheap and dear homes are valued alike."""
    cheap, dear = prices.iloc[0], prices.iloc[-1]
    return (
        f"The cheapest fifth of the sales is valued **{_off(100 * cheap['median'])}** in the "
        f"middle, the dearest fifth **{_off(100 * dear['median'])}**. Some of this is in the "
        "nature of any estimate: a sale is among the cheapest partly because it went for less than "
        "such homes do."
    )


def ratio_finding(study: pd.DataFrame) -> str:
    """Say which figures of a ratio study reach what is accepted."""
    reached = study["met"].astype(bool)
    told = f"**{int(reached.sum())} of {len(study)}** figures reach what assessors accept"
    if reached.all():
        return f"{told}."
    missing = "; ".join(in_words(name) for name in study.loc[~reached, "figure"])
    return f"{told}. Not reached: {missing}."


def calibration_finding(frame: pd.DataFrame, sales: int) -> str:
    """Say what ranges hold, and whether that is what they promise."""
    level, observed = frame["level"], frame["observed"]
    # The level that the pages show, where it was measured.
    shown = frame.iloc[int((level - 0.9).abs().argmin())]
    chance = 1.96 * np.sqrt(level * (1 - level) / sales)
    off = (observed - level).abs()
    kept = "as promised" if (off <= chance).all() else "not quite as promised"
    return (
        f"Ranges meant to hold {percent(shown['level'], 0)} of prices held "
        f"**{percent(shown['observed'])}**. From {percent(level.min(), 0)} to "
        f"{percent(level.max(), 0)} they hold {kept}: never further off than "
        f"{100 * off.max():.1f} points."
    )


def confidence_finding(bands: pd.DataFrame) -> str:
    """Say how much closer values of high confidence are (frame: the report's bands in words)."""
    worst, best = bands.iloc[0], bands.iloc[-1]
    if len(bands) < 2:
        return f"All values have {best['band']} confidence."
    return (
        f"Half of the values of **{best['band']}** confidence ({percent(best['share'], 0)} of all) "
        f"are off by at most **{percent(best['median_ape'])}**; of {worst['band']} confidence "
        f"({percent(worst['share'], 0)}), by {percent(worst['median_ape'])}."
    )


def guesses_finding(frame: pd.DataFrame) -> str:
    """Say how much closer the model is than the best simple guess (the model first)."""
    own, rest = frame.iloc[0], frame.iloc[1:]
    best = rest.sort_values("median_ape").iloc[0]
    better = own["median_ape"] < best["median_ape"]
    name = str(best["estimate"]).lower()
    return (
        f"The typical error is **{percent(own['median_ape'])}**; that of the best simple guess "
        f"({name}) is {percent(best['median_ape'])}"
        + (f", {best['median_ape'] / own['median_ape']:.1f} times as much." if better else ".")
    )


def versus_finding(groups: pd.DataFrame, first: str, second: str) -> str:
    """Say which of two versions is closer, or that it can't be told (frame: ``Versus.groups``)."""
    told = groups.iloc[0]
    points = f"{100 * abs(told['difference']):.2f} points of the price"
    interval = f"{100 * told['low']:+.2f} to {100 * told['high']:+.2f}".replace("-", "−")
    if told["low"] == told["high"] == 0:
        return f"{first} and {second} gave the same values to all {told['sales']:,} sales."
    if told["low"] <= 0 <= told["high"]:
        return (
            f"**It can't be told which is better**: on the same {told['sales']:,} sales their "
            f"average errors differ by {points}, and the interval ({interval}) holds zero."
        )
    better, worse = (first, second) if told["difference"] < 0 else (second, first)
    return (
        f"**{better} is better than {worse}**: on the same {told['sales']:,} sales its average "
        f"error is smaller by {points} (95 % interval {interval})."
    )


def tried_finding(tried: pd.DataFrame) -> str:
    """Say how much was tried and kept."""
    parts: Sequence[str] = list(dict.fromkeys(tried["part"]))
    kept = int(tried["kept"].sum())
    return (
        f"**{len(tried)}** things were tried in {len(parts)} rounds; **{kept}** of them were kept. "
        "Figures are those of sales held out, the first seed where there are several."
    )


def _off(middle: float) -> str:
    """Say a middle error in percent: "2.1 % too high"."""
    if abs(middle) < 0.05:
        return "right"
    return f"{abs(middle):.1f} % too {'high' if middle > 0 else 'low'}"
