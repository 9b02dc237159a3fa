"""Charts of feature importance by several measures, and of models with fewer features."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from houseprice.formatting import join_words, percent, rounding_step
from houseprice.market.contract import Contract
from houseprice.model.explanation import format_difference
from houseprice.ui.charts.panel import Chart
from houseprice.ui.charts.style import (
    FAINT,
    figure,
    money_axis,
    money_hover,
    money_title,
    price_text,
    wrap_label,
)

ROW_HEIGHT = 36
"""Height in pixels of a bar whose name may take two lines."""
METRICS = {
    "median_ape": "Median absolute error",
    "mean_ape": "Mean absolute error",
    "within_10": "Share of values within 10 %",
}
_NEAR = 0.01
"""Two models with a smaller difference of the median error are called close."""


def step_chart(steps: pd.DataFrame, contract: Contract, subject: str) -> Chart:
    """The price difference of one step of each feature, the largest first.

    ``steps`` has label, step (text) and difference (money); ``subject`` says whose price it is.
    """
    order = steps["difference"].abs().sort_values(ascending=False, kind="stable").index
    ordered = steps.loc[order].reset_index(drop=True)
    step = rounding_step(0.2 * float(ordered["difference"].abs().max()))
    texts = [format_difference(contract.market.price, d, step) for d in ordered["difference"]]
    names = [
        f"{wrap_label(label)}<br><i>{wrap_label(step, 30)}</i>"
        for label, step in zip(ordered["label"], ordered["step"], strict=True)
    ]
    n_lines = max(name.count("<br>") + 1 for name in names)
    drawn = figure(100 + (8 + 17 * n_lines) * len(names))
    drawn.add_bar(
        x=ordered["difference"],
        y=names,
        orientation="h",
        text=texts,
        textposition="outside",
        textfont={"size": 13},
        cliponaxis=False,
        customdata=ordered[["label", "step"]],
        hovertemplate="%{customdata[0]}: %{customdata[1]}<br>%{text}<extra></extra>",
    )
    low, high = min(ordered["difference"].min(), 0.0), max(ordered["difference"].max(), 0.0)
    margin = 0.45 * (high - low)  # room for the amounts at the bars
    drawn.update_xaxes(
        title_text=money_title("Difference in value", contract),
        range=[low - margin if low else 0.0, high + margin],
        **money_axis(contract) | {"nticks": 4},
    )
    drawn.update_yaxes(type="category", autorange="reversed")
    drawn.update_layout(bargap=0.35)
    first = ordered.iloc[0]
    caption = (
        f"{subject}, one step of **{first['label']}** makes the largest difference: "
        f"{first['step']} is **{texts[0]}**."
    )
    if len(ordered) > 1:
        second = ordered.iloc[1]
        caption += f" Next is {second['label']}: {second['step']}, {texts[1]}."
    headers = {"label": "Feature", "difference": money_title("Difference in value", contract)}
    return Chart(drawn, ordered, caption, headers)


def permutation_chart(
    features: pd.DataFrame, shown: pd.DataFrame, contract: Contract, in_money: bool, n_bars: int = 0
) -> Chart:
    """The increase of the error when a feature is permuted, for the ``shown`` features.

    ``n_bars`` is the height in bars, for charts side by side; both frames have label,
    importance_pct, spread_pct and the same in money.
    """
    unit = unit_suffix(in_money)
    ordered = features.sort_values(f"importance_{unit}", ascending=False)
    increases = ordered[f"importance_{unit}"].clip(lower=0)
    caption = (
        f"**Permutation importance.** Without “{ordered['label'].iloc[0]}”, the mean error of the "
        f"values would be larger by {_amount(increases.iloc[0], contract, in_money)}."
    )
    if increases.sum() > 0:
        share = percent(increases.head(5).sum() / increases.sum(), 0)
        caption += f" The first five features make up {share} of the total."
    columns = ["label", "importance_pct", "spread_pct", "importance_money", "spread_money"]
    title = "Increase of the error"
    bars = shown.rename(columns={f"importance_{unit}": "x", f"spread_{unit}": "spread"})
    drawn = _bars(bars, title, "larger error without it", contract, in_money, n_bars)
    return Chart(drawn, ordered[columns], caption, _headers(contract, title))


def contribution_chart(
    features: pd.DataFrame, shown: pd.DataFrame, contract: Contract, in_money: bool, n_bars: int
) -> Chart:
    """The mean absolute contribution to a value, for the ``shown`` features."""
    column = f"contribution_{unit_suffix(in_money)}"
    first = features.sort_values(column, ascending=False).iloc[0]
    n_small = int((features[column] < 0.1 * first[column]).sum())
    caption = (
        f"**Contribution.** “{first['label']}” changes a value by "
        f"{_amount(first[column], contract, in_money)} on average, up or down. {n_small} of "
        f"{len(features)} features change it by less than a tenth of that."
    )
    frame = features[["label", "contribution_money", "contribution_pct"]].sort_values(
        "contribution_money", ascending=False
    )
    bars = shown.rename(columns={column: "x"})
    title = "Mean contribution"
    drawn = _bars(bars, title, "up or down on average", contract, in_money, n_bars)
    return Chart(drawn, frame, caption, _headers(contract, title))


def group_ablation_chart(
    groups: pd.DataFrame, contract: Contract, in_money: bool, n_bars: int
) -> Chart:
    """The increase of the error of a model trained without a group (``Study.groups``)."""
    unit = unit_suffix(in_money)
    bars = groups.drop(columns="label", errors="ignore").rename(
        columns={
            f"loss_{unit}": "x",
            f"spread_{unit}": "spread",
            "title": "label",
            "group": "column",
        }
    )
    title = "Increase of the error"
    drawn = _bars(bars, title, "larger error without them", contract, in_money, n_bars)
    caption = f"**Group ablation.** {_group_caption(groups, contract, in_money)}"
    return Chart(drawn, groups.drop(columns="group"), caption, _headers(contract, title))


def _group_caption(groups: pd.DataFrame, contract: Contract, in_money: bool) -> str:
    if groups.empty:
        return "This model was trained without a study of groups of features."
    loss, spread = (f"{name}_{unit_suffix(in_money)}" for name in ("loss", "spread"))
    ordered = groups.sort_values(loss, ascending=False)
    significant = ordered[ordered[loss] > ordered[spread]]
    if significant.empty:
        return (
            "No group of features is indispensable: each increase is within its spread, because "
            "other features replace it."
        )
    first = significant.iloc[0]
    increase = _amount(first[loss], contract, in_money)
    sentences = [f"Without “{first['title']}” the error increases most, by {increase}."]
    gap = ordered[loss].iloc[0] - significant[loss]
    # The spread of the difference of two independent figures.
    similar = significant[(gap <= np.hypot(first[spread], significant[spread])) & (gap > 0)]
    if len(similar):
        names = join_words(f"“{title}”" for title in similar["title"])
        sentences.append(f"The difference from {names} is within the spread.")
    n_others = len(ordered) - len(significant)
    if n_others > 1:
        sentences.append(f"For the {n_others} groups in grey, the increase is within its spread.")
    elif n_others:
        sentences.append(f"For “{ordered['title'].iloc[-1]}”, the increase is within its spread.")
    return " ".join(sentences)


def _bars(
    frame: pd.DataFrame, title: str, hover: str, contract: Contract, in_money: bool, n_bars: int
) -> go.Figure:
    """Bars of x with spread, by label; ``column`` is what a selected bar returns.

    A bar that is not longer than its spread is grey.
    """
    drawn = figure(90 + ROW_HEIGHT * max(n_bars, len(frame)))
    has_spread = "spread" in frame
    significant = frame["x"] > (frame["spread"] if has_spread else 0)
    amount = money_hover(contract, "x") if in_money else "%{x:.2f} % of the price"
    for part, colour in ((frame[significant], None), (frame[~significant], FAINT)):
        drawn.add_bar(
            x=part["x"],
            y=part["label"].map(_short),
            orientation="h",
            marker={"color": colour},
            customdata=part[["column", "label"]],
            hovertemplate=f"%{{customdata[1]}}<br>{amount} {hover}<extra></extra>",
        )
        if has_spread:
            drawn.data[-1].error_x = {
                "type": "data",
                "array": part["spread"],
                "color": FAINT,
                "thickness": 2,
                "width": 4,
            }
    drawn.update_layout(bargap=0.3, barmode="overlay")
    axis = money_axis(contract) if in_money else {"tickangle": 0}
    # Three of these charts are side by side: few ticks, and a title of two lines.
    text = money_title(f"{title}<br>", contract) if in_money else f"{title}<br>(% of the price)"
    drawn.update_xaxes(title_text=text, showgrid=True, **axis)
    drawn.update_xaxes(rangemode="tozero", nticks=4)
    order = [_short(name) for name in frame["label"]]
    drawn.update_yaxes(categoryorder="array", categoryarray=order[::-1])
    return drawn


def _short(name: str) -> str:
    return wrap_label(name, 18)


def _headers(contract: Contract, measure: str) -> dict[str, str]:
    headers = {"label": "Feature", "title": "Group of features", "n_fields": "Features"}
    for column in ("importance", "contribution", "loss"):
        headers[f"{column}_pct"] = f"{measure} (% of the price)"
        headers[f"{column}_money"] = money_title(measure, contract)
    return headers | {
        "spread_pct": "Spread (% of the price)",
        "spread_money": money_title("Spread", contract),
    }


def feature_selection_chart(frame: pd.DataFrame, metric: str) -> Chart:
    """The accuracy of models with only the most important features (``Study.fewer``)."""
    drawn = figure(340)
    is_share = metric == "within_10"
    drawn.add_scatter(
        x=frame["n_fields"],
        y=100 * frame[metric],
        mode="lines+markers+text",
        line={"width": 3},
        marker={"size": 10},
        text=[f"{100 * share:.1f} %" for share in frame[metric]],
        # Next to the line, which falls for an error and rises for a share.
        textposition=f"{'bottom' if is_share else 'top'} right",
        cliponaxis=False,
        customdata=frame[["n_fields"]],
        hovertemplate=f"%{{x}} features<br>{METRICS[metric]} %{{y:.1f}} %<extra></extra>",
    )
    most = float(frame["n_fields"].max())
    drawn.update_xaxes(
        title_text="Features of the model", tickvals=frame["n_fields"], range=[0, 1.1 * most]
    )
    # Room for the numbers at the points.
    top = 100.0 if is_share else 115 * float(frame[metric].max())
    drawn.update_yaxes(title_text=METRICS[metric], ticksuffix=" %", range=[0, top])
    headers = {"n_fields": "Features", **METRICS, "rmsle": "Root mean squared log error"}
    return Chart(drawn, frame, _selection_caption(frame), headers)


def _selection_caption(frame: pd.DataFrame) -> str:
    every, some = frame.iloc[-1], frame.iloc[:-1]
    n_all = int(every["n_fields"])
    if some.empty:
        return f"Only models with all {n_all} features were trained."
    gaps = some["median_ape"] - every["median_ape"]
    # The smallest model that is close; if none is, the largest.
    best = some[gaps < _NEAR].iloc[0] if (gaps < _NEAR).any() else some.iloc[-1]
    gap = best["median_ape"] - every["median_ape"]
    caption = (
        f"With {best['n_fields']:.0f} features, the median absolute error is "
        f"{percent(best['median_ape'])}, within {max(100 * gap, 0.1):.1f} points of that with all "
        f"{n_all} ({percent(every['median_ape'])})."
    )
    fewest = some.iloc[0]
    if fewest["n_fields"] < best["n_fields"]:
        caption += f" With {fewest['n_fields']:.0f} it is {percent(fewest['median_ape'])}."
    return caption


def selection_caption(frame: pd.DataFrame) -> str:
    """Return how stable the selected features are between sets of sales (``Study.chosen``)."""
    n_stable = int((frame["folds"] > 1 - 1e-9).sum())
    if n_stable == len(frame):
        return f"The same {n_stable} features were selected in every set of sales."
    return (
        f"{n_stable} of these {len(frame)} features were selected in every set of sales; the other "
        f"{len(frame) - n_stable} compete with features that perform nearly as well."
    )


def _amount(value: float, contract: Contract, in_money: bool) -> str:
    return price_text(value, contract) if in_money else f"{value:.1f} % of the price"


def unit_suffix(in_money: bool) -> str:
    """Return how the columns of a measure in money, or in percent of the price, end."""
    return "money" if in_money else "pct"
