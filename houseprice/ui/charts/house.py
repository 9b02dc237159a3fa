"""Charts of one house: explanation, effect of a field, comparables, scenarios."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from houseprice.formatting import difference_step, display_step
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.model.explanation import Explanation, format_difference
from houseprice.ui.charts.panel import Chart
from houseprice.ui.charts.style import (
    BAND,
    FAINT,
    figure,
    money_axis,
    money_hover,
    money_title,
    number_axis,
    price_axis,
    wrap_label,
)

_PHONE_TICKS = 5


def waterfall_chart(
    explanation: Explanation, steps: pd.DataFrame, contract: Contract, step: float
) -> Chart:
    """From the typical house to this one, a bar per field (``Explanation.waterfall``).

    Both values are rounded to ``step``, as everywhere on the page.
    """
    base, price = explanation.base_price, explanation.price
    fine = difference_step(base)
    contributions = steps["contribution"]
    # Up and down have a meaning here, so this chart names its colours, the same in both themes.
    drawn = figure(rows=len(steps) + 2)
    hover = [
        f"{sentence}<br>Running total: {contract.money(total, fine)}"
        for sentence, total in zip(steps["sentence"], steps["price_after"], strict=True)
    ]
    drawn.add_waterfall(
        orientation="h",
        y=["Typical house", *steps["label"].map(wrap_label), "This house"],
        x=[base, *contributions, price],
        measure=["absolute", *["relative"] * len(steps), "total"],
        text=[
            contract.money(base, step),
            *(format_difference(contract.market.price, amount, fine) for amount in contributions),
            contract.money(price, step),
        ],
        textposition="outside",
        cliponaxis=False,
        customdata=["Typical house", *hover, "This house"],
        hovertemplate="%{customdata}<extra></extra>",
        connector={"line": {"width": 1, "color": BAND}},
        increasing={"marker": {"color": "#2f8568"}},
        decreasing={"marker": {"color": "#c25e2e"}},
        totals={"marker": {"color": "#6b746f"}},
    )
    totals = [base, price, *(base + contributions.cumsum())]
    margin = (
        0.35 * (max(totals) - min(totals)) + 0.01 * base
    )  # room for the amounts, on a phone too
    limits = [min(totals) - margin, max(totals) + margin]
    drawn.update_xaxes(**money_axis(contract) | {"nticks": _PHONE_TICKS}, range=limits)
    drawn.update_yaxes(autorange="reversed")
    caption = (
        f"The typical house is worth {contract.money(base, step)}, this one "
        f"{contract.money(price, step)}. Largest contributions: "
        f"{'; '.join(explanation.top_drivers(3))}."
    )
    headers = {
        "label": "Field",
        "told": "This house",
        "base": "Typical house",
        "contribution": money_title("Contribution", contract),
        "sentence": "Description",
    }
    return Chart(drawn, explanation.contributions.drop(columns="column"), caption, headers)


def comparables_chart(
    comparables: pd.DataFrame,
    sales: pd.DataFrame,
    valuation: pd.Series,
    own: float,
    field: Field,
    contract: Contract,
) -> Chart:
    """Price along a field: the house with its range, its comparables, and the other sales.

    ``comparables`` are those of ``Backend.comparables``; ``sales`` has value (of the field), price
    and id; ``own`` is the value of the field for the house.
    """
    price = money_hover(contract, "y")
    hover = f"%{{customdata[1]}}<br>{price}<extra></extra>"
    value, low, high = (valuation[name] for name in ("predicted_price", "price_low", "price_high"))
    ids = comparables["id"].astype(str)
    values = sales.set_index("id")["value"].reindex(ids)
    others = sales[~sales["id"].isin(ids)]
    titles = ("Sale " + ids + ", " + comparables["sold"].astype(str)).str.removesuffix(", ")
    drawn = figure(440, legend=True)
    # The first traces get the first colours of the theme: the house first.
    drawn.add_scatter(
        x=[own],
        y=[value],
        error_y=None
        if pd.isna(low)
        else {"array": [high - value], "arrayminus": [value - low], "thickness": 3, "width": 8},
        mode="markers",
        marker={"size": 15, "symbol": "diamond"},
        name="This house",
        hovertemplate=f"This house<br>{price}<extra></extra>",
    )
    drawn.add_scatter(
        x=values,
        y=comparables["price"],
        mode="markers",
        marker={"size": 12, "line": {"width": 1, "color": FAINT}},
        customdata=np.column_stack([ids, titles]),
        name="Comparables",
        hovertemplate=hover,
    )
    drawn.add_scatter(
        x=np.full(len(comparables), own),
        y=comparables["adjusted_price"],
        mode="markers",
        marker={"size": 16, "symbol": "line-ew-open", "line": {"width": 2}},
        customdata=np.column_stack([ids, titles + ", adjusted"]),
        name="Adjusted sale prices",
        hovertemplate=hover,
    )
    drawn.add_scatter(
        x=others["value"],
        y=others["price"],
        mode="markers",
        marker={"size": 5, "color": FAINT},
        opacity=0.45,
        customdata=np.column_stack([others["id"], "Sale " + others["id"]]),
        name="Other sales",
        hovertemplate=hover,
        zorder=-1,
    )
    drawn.update_xaxes(**number_axis(field), nticks=6, range=_limits([own, *values]))
    drawn.update_yaxes(
        **price_axis(contract),
        range=_limits([value, low, high, *comparables["price"], *comparables["adjusted_price"]]),
    )
    headers = {
        "id": "Sale",
        "price": "Sold for",
        "price_per_area": "Price per area",
        "same_location": "Same location",
        "circumstances": "Unusual circumstances",
        "time_adjusted_price": "Price at the valuation date",
        "adjusted_price": "Adjusted sale price",
    }
    caption = _comparables_caption(comparables, valuation, contract)
    return Chart(drawn, comparables.drop(columns="row"), caption, headers)


def _comparables_caption(
    comparables: pd.DataFrame, valuation: pd.Series, contract: Contract
) -> str:
    value = float(valuation["predicted_price"])
    low, high = (
        contract.money(float(price))
        for price in (comparables["price"].min(), comparables["price"].max())
    )
    n_above = int((comparables["price"] > value).sum())
    above = {0: "none", len(comparables): "all"}.get(n_above, str(n_above))
    step = display_step(value, float(valuation["fsd"]))
    shown = contract.money(value, step)
    caption = (
        f"The {len(comparables)} most similar sales sold for {low} to {high}; {above} of them sold "
        f"for more than the value of {shown}"
    )
    location = contract.field_of("location")
    if location is not None:
        n_near = int(comparables["same_location"].sum())
        verb = "is" if n_near == 1 else "are"
        caption += f", and {n_near or 'none'} of them {verb} in the same {location.label.lower()}"
    caption += "."
    adjusted = comparables["adjusted_price"].dropna()
    if adjusted.empty:
        return caption
    low, high, median = (
        contract.money(float(price), step)
        for price in (adjusted.min(), adjusted.max(), adjusted.median())
    )
    return f"{caption} Adjusted to this house, they are {low} to {high}, the median **{median}**."


def _limits(values: Sequence[float]) -> list[float]:
    """The limits of an axis around some values, with a wide margin."""
    known = [value for value in values if not np.isnan(value)] or [0.0]
    low, high = min(known), max(known)
    margin = max(0.6 * (high - low), 0.3 * abs(high)) or 1.0
    return [max(0.0, low - margin) if low >= 0 else low - margin, high + margin]


def scenarios_chart(frame: pd.DataFrame, contract: Contract, steps: Sequence[float]) -> Chart:
    """The values of scenarios with their ranges, the values rounded to ``steps``.

    ``frame`` is that of ``scenarios.compare``.
    """
    drawn = figure(rows=2 * len(frame))
    drawn.add_scatter(
        x=frame["value"],
        y=frame["name"],
        mode="markers+text",
        marker={"size": 13, "symbol": "diamond"},
        text=[
            contract.money(value, step) for value, step in zip(frame["value"], steps, strict=True)
        ],
        textposition="top center",
        cliponaxis=False,
        hovertemplate=f"%{{y}}: {money_hover(contract, 'x')}<extra></extra>",
    )
    ranges = frame.dropna(subset=["low"])
    drawn.add_scatter(  # one trace: a gap ends each range
        x=[x for row in ranges.itertuples() for x in (row.low, row.high, None)],
        y=ranges["name"].repeat(3),
        mode="lines",
        line={"width": 10, "color": BAND},
        hoverinfo="skip",
    )
    ends = frame[["value", "low", "high"]].to_numpy()
    low, high = float(np.nanmin(ends)), float(np.nanmax(ends))
    margin = 0.08 * (high - low) + 0.01 * high
    drawn.update_xaxes(
        **money_axis(contract) | {"nticks": _PHONE_TICKS}, range=[low - margin, high + margin]
    )
    drawn.update_yaxes(autorange="reversed")
    best, first = frame.iloc[int(frame["value"].to_numpy().argmax())], frame.iloc[0]
    if best["name"] == first["name"]:
        caption = f"No scenario has a higher value than {first['name']}."
    else:
        difference = contract.money(best["difference"], difference_step(best["value"]))
        doubt = "" if best["is_clear"] else ", which is within the uncertainty of the model"
        caption = (
            f"{best['name']} has the highest value: {difference} more than {first['name']}{doubt}."
        )
    return Chart(drawn, frame.drop(columns="is_clear"), caption, {"name": "Scenario"})
