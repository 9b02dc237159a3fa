"""Charts of data quality: missing values, associations between fields, alerts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from houseprice.formatting import percent, plural
from houseprice.market.profile.alerts import Alert, AlertKind, outliers
from houseprice.market.profile.selection import Sales
from houseprice.ui.charts.panel import Chart
from houseprice.ui.charts.style import (
    FAINT,
    REFERENCE_LINE,
    error_bars,
    figure,
    money_hover,
    sale_names,
    typical_text,
    wrap_label,
)

_MAX_NUMBERED = 12
"""In a larger matrix the numbers would not fit into the cells on a phone."""

DIRECTIONS = {
    "rises": "Price rises with it",
    "falls": "Price falls with it",
    "differs": "Without an order",
}


def price_associations_chart(frame: pd.DataFrame, n_shown: int) -> Chart:
    """The association of the first fields with the price, by direction (``price_associations``)."""
    shown = frame.head(n_shown)
    drawn = figure(rows=len(shown) + 2)
    for direction, words in DIRECTIONS.items():
        part = shown[shown["direction"] == direction]
        drawn.add_bar(
            x=part["strength"],
            y=part["field"],
            orientation="h",
            name=words,
            text=part["strength"].map("{:.2f}".format),
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}<br>%{x:.2f} of 1<extra>" + words + "</extra>",
        )
    drawn.update_layout(showlegend=True, barmode="overlay", bargap=0.3)
    drawn.update_xaxes(title_text="Association with the price (0 none, 1 perfect)", range=[0, 1])
    drawn.update_yaxes(categoryorder="array", categoryarray=list(shown["field"])[::-1])
    names = [f"“{row.field}” ({row.strength:.2f})" for row in frame.head(3).itertuples()]
    caption = "Too few sales to measure associations with the price."
    if names:
        caption = f"Strongest associations with the price: {', '.join(names)}."
    return Chart(drawn, frame, caption, {"field": "Feature"})


def association_matrix_chart(frame: pd.DataFrame) -> Chart:
    """The association of each pair of fields (``association_matrix``).

    Columns have only the numbers of the rows, to leave room for the cells on a phone.
    """
    drawn = figure(rows=len(frame) + 3)
    numbers = [str(number) for number in range(1, len(frame) + 1)]
    below = np.tril(np.ones(frame.shape, dtype=bool), -1)
    table = frame.where(below)
    others = [list(frame.columns)] * len(frame)
    drawn.add_heatmap(
        z=table.to_numpy(),
        x=numbers,
        y=[
            wrap_label(f"{place} {name}", 22)
            for place, name in zip(numbers, frame.index, strict=True)
        ],
        customdata=others,
        zmin=0,
        zmax=1,
        xgap=2,
        ygap=2,
        hoverongaps=False,
        text=table.map(lambda x: "" if np.isnan(x) else f"{x:.2f}".removeprefix("0")),
        texttemplate="%{text}" if len(frame) <= _MAX_NUMBERED else None,
        hovertemplate="%{y}<br>and %{customdata}<br>%{z:.2f} of 1<extra></extra>",
        showscale=False,
    )
    drawn.update_xaxes(type="category", side="bottom", showgrid=False, tickangle=0)
    drawn.update_yaxes(type="category", autorange="reversed", showgrid=False)
    return Chart(drawn, frame.reset_index(names="Feature"), _matrix_caption(frame))


def _matrix_caption(frame: pd.DataFrame) -> str:
    values = frame.to_numpy()
    if np.isnan(values).all():
        return "Too few sales to measure associations between features."
    row, column = divmod(int(np.nanargmax(values)), len(frame))
    caption = (
        f"The strongest association is between “{frame.index[row]}” and "
        f"“{frame.columns[column]}” ({values[row, column]:.2f})"
    )
    return f"{caption}{'.' if values[row, column] < 0.7 else ': they are nearly redundant.'}"


def missing_values_chart(frame: pd.DataFrame, n_sales: int, n_fields: int) -> Chart:
    """The share of sales in which a field is missing, or the home has none (``missing_values``).

    The frame has the fields with missing values or none, the one with most missing values first.
    """
    unknown = frame[frame["not_known"] > 0]
    caption = f"All {plural(n_fields, 'feature')} are known for every one of these sales."
    if not unknown.empty:
        worst = unknown.iloc[0]
        caption = (
            f"{n_fields - len(unknown)} of {n_fields} features are known for every one of "
            f"these sales. The feature with the most missing values is “{worst['field']}”: "
            f"{worst['not_known']:,} of {n_sales:,} ({percent(worst['not_known'] / n_sales, 0)})."
        )
    return Chart(_missing_figure(frame), frame, caption)


def _missing_figure(frame: pd.DataFrame) -> go.Figure:
    drawn = figure(rows=len(frame) + 2)
    kinds = {"not_known": ("Not known", None), "has_none": ("The home has none", FAINT)}
    for name, (words, colour) in kinds.items():
        if not frame[name].any():
            continue
        drawn.add_bar(
            x=frame[f"share_{name}"],
            y=frame["field"],
            customdata=frame[name],
            orientation="h",
            name=words,
            marker={"color": colour},
            hovertemplate="%{y}<br>%{customdata:,} sales (%{x:.1%})<extra>" + words + "</extra>",
        )
    drawn.update_layout(showlegend=True, barmode="stack", bargap=0.3)
    drawn.update_xaxes(title_text="Share of sales", tickformat=".0%", range=[0, 1])
    drawn.update_yaxes(autorange="reversed")
    return drawn


_TIMES = "Multiple of the median"
_LOG_TICKS = {
    "type": "log",
    "tickvals": [step * 10**power for power in range(-3, 5) for step in (1, 3)],
    "tickformat": "~g",
    "ticksuffix": "×",
}


def _constant_figure(frame: pd.DataFrame) -> go.Figure:
    """The share of sales without the most frequent value of each field."""
    names = frame["field"].map(wrap_label) + "<br>not “" + frame["level"] + "”"
    others = (frame["known"] - frame["sales"]).map("{:,}".format)
    hover = "%{y}: %{text} sales (%{x:.1%})<extra></extra>"
    drawn = _bars(1 - frame["share"], names, others, hover, textposition="outside")
    return drawn.update_xaxes(title_text="Share of sales that differ", tickformat=".0%")


def _redundant_figure(frame: pd.DataFrame) -> go.Figure:
    """The association of each pair of fields (``associated_pairs``)."""
    names = frame["field"].map(wrap_label) + "<br>and " + frame["other_field"].map(wrap_label)
    texts = frame["strength"].map("{:.2f}".format)
    hover = "%{y}<br>%{text} of 1<extra></extra>"
    drawn = _bars(frame["strength"], names, texts, hover, textposition="inside")
    return drawn.update_xaxes(title_text="Association (0 none, 1 perfect)", range=[0, 1])


def _bars(
    values: pd.Series, names: pd.Series, texts: pd.Series, hover: str, textposition: str
) -> go.Figure:
    """A bar per row from the top, each with a text at its end and a name of two lines."""
    drawn = figure(rows=2 * len(values) + 1)
    drawn.add_bar(
        x=values,
        y=names,
        orientation="h",
        text=texts,
        texttemplate="%{text}",
        textposition=textposition,
        insidetextanchor="end",
        cliponaxis=False,
        hovertemplate=hover,
    )
    drawn.update_layout(bargap=0.3)
    return drawn.update_yaxes(autorange="reversed")


def _skewed_figure(frame: pd.DataFrame, sales: Sales) -> go.Figure:
    """The middle 80 % and the maximum of each field, in multiples of its median."""
    drawn = figure(rows=len(frame) + 2, legend=True)
    names = frame["field"].map(wrap_label)
    low, high = frame["lowest_tenth"] / frame["median"], frame["highest_tenth"] / frame["median"]
    drawn.add_scatter(
        x=[1.0] * len(frame),
        y=names,
        customdata=_formatted(frame, sales, ["lowest_tenth", "median", "highest_tenth"]),
        error_x=error_bars(1, low, high) | {"thickness": 8},
        mode="markers",
        marker={"size": 10},
        name="Median, and the middle 80 %",
        hovertemplate="%{y}<br>Median: %{customdata[1]}<br>Middle 80 %: %{customdata[0]} to "
        "%{customdata[2]}<extra></extra>",
    )
    drawn.add_scatter(
        x=frame["largest"] / frame["median"],
        y=names,
        customdata=_formatted(frame, sales, ["largest"]),
        mode="markers",
        marker={"size": 10, "symbol": "diamond"},
        name="Maximum",
        hovertemplate="%{y}<br>Maximum: %{customdata[0]} (%{x:.1f}×)<extra></extra>",
    )
    drawn.update_xaxes(title_text=_TIMES, **_LOG_TICKS)
    drawn.update_yaxes(autorange="reversed", type="category", showgrid=True)
    return drawn


def _outliers_figure(frame: pd.DataFrame, sales: Sales) -> go.Figure:
    """Each extreme value, in multiples of the median (``outliers``)."""
    drawn = figure(rows=frame["field"].nunique() + 1)
    cells = zip(frame["column"], frame["value"], strict=True)
    texts = [sales.field(column).format(value) for column, value in cells]
    drawn.add_scatter(
        x=frame["times"],
        y=frame["field"].map(wrap_label),
        customdata=frame[["id", "price"]].assign(text=texts, name=sale_names(frame)),
        mode="markers",
        marker={"size": 8, "opacity": 0.6},
        hovertemplate="%{y}: %{customdata[2]} (%{x:.1f}×)<br>%{customdata[3]}<br>"
        f"{money_hover(sales.contract, 'customdata[1]')}<extra></extra>",
    )
    drawn.add_vline(x=1, line=REFERENCE_LINE)
    drawn.update_xaxes(title_text=_TIMES, **_LOG_TICKS)
    drawn.update_yaxes(autorange="reversed", type="category", showgrid=True)
    return drawn


def _formatted(frame: pd.DataFrame, sales: Sales, names: list[str]) -> list[list[str]]:
    return [
        [typical_text(sales.field(row["column"]), row[name]) for name in names]
        for _, row in frame.iterrows()
    ]


_NOTES: dict[AlertKind, str] = {
    "not_known": (
        "A valuation estimates a missing feature from the known ones and widens the range. Before "
        "you interpret missing values, find out why they were not recorded."
    ),
    "alike": (
        "A feature that is the same for nearly every home can't distinguish homes. A difference in "
        "price between its values is based on very few sales."
    ),
    "same": (
        "Of two features with such a strong association, either can replace the other. Don't add "
        "up their effects."
    ),
    "long_tail": (
        "A few very large values raise the mean. Use the median, and compare by ratios, not by "
        "differences. Homes without any are excluded here."
    ),
    "far_out": (
        "A point is a sale more than three interquartile ranges away from the middle half. It can "
        "be an error or an unusual home: check it before you trust a trend that depends on it. "
        "Homes without any are excluded here."
    ),
}


def alert_chart(alert: Alert, sales: Sales) -> Chart:
    """Chart what an alert is about."""
    frame = outliers(sales) if alert.kind == "far_out" else alert.frame
    drawn = {
        "not_known": lambda: _missing_figure(frame),
        "alike": lambda: _constant_figure(frame),
        "same": lambda: _redundant_figure(frame),
        "long_tail": lambda: _skewed_figure(frame, sales),
        "far_out": lambda: _outliers_figure(frame, sales),
    }[alert.kind]()
    data = frame.drop(columns=["one", "other"], errors="ignore")
    headers = {"field": "Feature", "other_field": "Other feature"}
    return Chart(drawn, data, _NOTES[alert.kind], headers)


def alert_summary(alert: Alert, sales: Sales) -> str:
    """Return how many fields an alert is about, and the most extreme of them."""
    worst, many = alert.frame.iloc[0], alert.n_fields > 1
    named = ("most of all " if many else "") + f"“{worst['field']}”"
    noun = "numeric features" if alert.kind in ("long_tail", "far_out") else "features"
    count = f"**{alert.n_fields} of {alert.n_checked} {noun}**"
    if alert.kind == "not_known":
        return (
            f"{count} {'have' if many else 'has'} missing values, {named}: "
            f"{worst['not_known']:,} of {len(sales):,} sales "
            f"({percent(worst['share_not_known'], 0)})."
        )
    if alert.kind == "alike":
        return (
            f"{count} {'are' if many else 'is'} nearly constant, {named}: "
            f"“{worst['level']}” for {worst['sales']:,} of {worst['known']:,} sales."
        )
    if alert.kind == "same":
        return (
            f"{count} {'are' if many else 'is'} nearly redundant, in "
            f"{plural(len(alert.frame), 'pair')}; most of all “{worst['field']}” and "
            f"“{worst['other_field']}” (association {worst['strength']:.2f})."
        )
    if alert.kind == "long_tail":
        field = sales.field(worst["column"])
        return (
            f"{count} {'are' if many else 'is'} highly skewed, {named}: the "
            f"median is {typical_text(field, worst['median'])}, the maximum "
            f"{field.format(worst['largest'])}."
        )
    return (
        f"{count} {'have' if many else 'has'} outliers, {named}, in "
        f"{plural(worst['sales'], 'sale')}."
    )
