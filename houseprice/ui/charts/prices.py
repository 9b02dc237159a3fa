"""Charts of sale prices: distribution, by feature, over time, and outliers."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from houseprice.formatting import percent, plural, signed_percent
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.profile.like_for_like import MIN_GROUP, Comparison
from houseprice.market.profile.summaries import FieldProfile
from houseprice.ui.charts.panel import Chart
from houseprice.ui.charts.style import (
    BAND,
    FAINT,
    MIN_SALES,
    REFERENCE_LINE,
    add_band,
    add_sales_below,
    axis_title,
    category_axis,
    error_bars,
    extremes,
    figure,
    interquartile_band,
    level_boxes,
    money_axis,
    money_hover,
    points_with_trend,
    price_axis,
    price_text,
    price_title,
    sale_names,
)

MIN_CHANGE = 0.03
"""A smaller relative change is not reported as one."""
FEW_YEARS = 12
"""So many years are joined by a line; more are points around a trend."""


def format_value(field: Field, value: float) -> str:
    """Format a value of a field for a sentence: a level in quotes, a size to two digits."""
    if field.levels:
        return f"“{field.format(value)}”"
    if field.kind == "number" and value > 0:
        return field.format(round(value, 1 - math.floor(math.log10(value))))
    return field.format(value if field.kind == "date" else round(value))


def _per_unit(contract: Contract) -> str:
    """Return the unit of a price that is not of a whole home: " per sq ft"."""
    head, per, unit = contract.market.price.label.partition(" per ")
    return f"{per}{unit}" if head and per else ""


def distribution_chart(frame: pd.DataFrame, prices: pd.Series, contract: Contract) -> Chart:
    """The number of sales by price, with the median (``price_distribution`` of ``prices``)."""
    drawn = figure()
    median = float(prices.median())
    drawn.add_bar(
        x=(frame["from"] + frame["to"]) / 2,
        y=frame["sales"],
        width=0.94 * (frame["to"] - frame["from"]),
        customdata=frame[["from", "to"]],
        marker={"line": {"width": 0}},
        hovertemplate=f"{money_hover(contract, 'customdata[0]')} to "
        f"{money_hover(contract, 'customdata[1]')}<br>%{{y:,}} sales<extra></extra>",
    )
    text = f"Median price {price_text(median, contract)}"
    drawn.add_vline(x=median, line=REFERENCE_LINE, annotation_text=text)
    drawn.update_xaxes(title_text=price_title(contract), **money_axis(contract))
    drawn.update_yaxes(title_text="Number of sales", tickformat=",d")
    low, middle, high, highest = (
        price_text(price, contract) for price in prices.quantile([0.25, 0.5, 0.75, 0.9])
    )
    caption = (
        f"The median price is {middle}{_per_unit(contract)}; half of the homes sold for {low} to "
        f"{high}. One in ten sold for more than {highest}."
    )
    return Chart(drawn, frame, caption)


def price_by_number_chart(
    points: pd.DataFrame,
    sample: pd.DataFrame,
    trend: pd.DataFrame,
    field: Field,
    contract: Contract,
) -> Chart:
    """Prices along a number: a sample of the points, and their trend."""
    drawn = points_with_trend(sample, trend, field, "price", money_hover(contract, "y"))
    drawn.update_yaxes(**price_axis(contract))
    headers = {"value": axis_title(field), "price": price_title(contract)}
    return Chart(drawn, points, _trend_caption(trend, field, contract), headers)


def _trend_caption(trend: pd.DataFrame, field: Field, contract: Contract) -> str:
    if len(trend) < 2:
        return "Too few of these sales differ in this feature to show a trend."
    first, last = trend.iloc[0], trend.iloc[-1]
    change = last["median"] / first["median"] - 1
    low, high = format_value(field, first["value"]), format_value(field, last["value"])
    start, end = price_text(first["median"], contract), price_text(last["median"], contract)
    if abs(change) < MIN_CHANGE:
        return f"The median price hardly changes from {low} to {high}: {start} and {end}."
    verb = "rises" if change > 0 else "falls"
    return f"The median price {verb} from {start} around {low} to {end} around {high}."


def price_by_level_chart(frame: pd.DataFrame, field: Field, contract: Contract) -> Chart:
    """Prices by level, as boxes over the middle half and the middle 80 % (``price_by_level``)."""
    # The best level is on top; months start there.
    is_month = field.column == contract.market.roles.sale_month
    drawn, note = level_boxes(frame, field, from_top=is_month)
    drawn.update_xaxes(**price_axis(contract))
    return Chart(drawn, frame, _level_caption(frame, contract) + note, {"level": field.label})


def _level_caption(frame: pd.DataFrame, contract: Contract) -> str:
    known = frame[frame["level"] != "not known"]
    if known.empty:
        return "This feature is not known for any of these sales."
    if len(known) < 2:
        return f"All of these sales have the same value: {known['level'].iloc[0]}."
    most, n_sales = extremes(known, "sales")[1], known["sales"].sum()
    known = known[known["sales"] >= MIN_SALES]
    if len(known) < 2:
        return (
            f"“{most['level']}” is the most frequent, with {most['sales']:,} of {n_sales:,} sales. "
            "The others have too few sales to compare prices."
        )
    low, high = extremes(known, "median")
    return (
        f"“{high['level']}” has the highest median price, {price_text(high['median'], contract)} "
        f"({high['sales']:,} sales), and “{low['level']}” the lowest, "
        f"{price_text(low['median'], contract)} ({low['sales']:,} sales). Levels with fewer than "
        f"{MIN_SALES} sales are not compared."
    )


def price_by_year_chart(
    frame: pd.DataFrame, trend: pd.DataFrame, field: Field, contract: Contract
) -> Chart:
    """Median prices by year, larger points for more sales (``price_by_year``, ``price_trend``)."""
    drawn = figure(460, legend=True)
    few = len(frame) <= FEW_YEARS
    drawn.add_scatter(
        x=frame["year"],
        y=frame["median"],
        customdata=frame["sales"],
        mode="lines+markers" if few else "markers",
        marker={
            "size": frame["sales"],
            "sizemode": "area",
            "sizeref": 2.0 * max(frame["sales"].max(), 1) / 20**2,
            "sizemin": 3,
            "opacity": 1 if few else 0.55,
        },
        name="Median price of a year (larger: more sales)",
        hovertemplate=f"%{{x}}: {money_hover(contract, 'y')}"
        "<br>%{customdata:,} sales<extra></extra>",
    )
    if few:
        interquartile_band(drawn, frame["year"], frame)
    elif len(trend) > 1:
        hover = f"About %{{x}}: {money_hover(contract, 'y')}<extra></extra>"
        line = {"name": "Median price of homes of about that year", "hovertemplate": hover}
        interquartile_band(drawn, trend["value"], trend, line)
    drawn.update_xaxes(title_text=field.label, dtick=1 if few else None, tickformat="d")
    drawn.update_yaxes(**price_axis(contract))
    if few:  # the medians of a few years are the trend
        trend = frame.rename(columns={"year": "value"})
    return Chart(drawn, frame, _trend_caption(trend, field, contract))


def trend_chart(frame: pd.DataFrame, contract: Contract) -> Chart:
    """Median prices over time, over the middle half of prices (``price_by_period``).

    Periods with few sales are left out.
    """
    drawn = figure(400, legend=True)
    caption, frame = _period_caption(frame, contract), frame[frame["sales"] >= MIN_SALES]
    line = {
        "name": "Median price",
        "mode": "lines+markers",
        "customdata": frame[["period", "sales"]],
        "hovertemplate": f"<b>%{{customdata[0]}}</b><br>{money_hover(contract, 'y')}"
        "<br>%{customdata[1]:,} sales<extra></extra>",
    }
    interquartile_band(drawn, frame["start"], frame, line)
    drawn.update_xaxes(title_text="Time of sale")
    drawn.update_yaxes(**price_axis(contract))
    return Chart(drawn, frame, caption)


def _period_caption(frame: pd.DataFrame, contract: Contract) -> str:
    large = frame[frame["sales"] >= MIN_SALES]
    if len(large) < 2:
        return "Too few of these sales to show medians over time."
    low, high = extremes(large, "median")
    return (
        f"The median price{_per_unit(contract)} was lowest in {low['period']} "
        f"({price_text(low['median'], contract)}, {low['sales']:,} sales) and highest in "
        f"{high['period']} ({price_text(high['median'], contract)}, {high['sales']:,} sales). A "
        "median depends on which homes were sold; the price index does not."
    )


def index_chart(comparisons: Mapping[str, Comparison]) -> Chart:
    """Price indices over time by name, like for like, with their 95 % confidence bands.

    The line is the smoothed index. A single index also has points, the periods with enough sales
    alone, and the number of sales below it.
    """
    drawn = figure(430, legend=len(comparisons) > 1)
    compared = {name: each.compared for name, each in comparisons.items() if len(each.compared) > 1}
    for (name, frame), dash in zip(compared.items(), ("solid", "dash"), strict=False):
        drawn.add_scatter(
            x=frame["start"],
            y=100 * frame["smoothed"],
            mode="lines",
            name=name,
            line={"width": 3, "dash": dash},
            hovertemplate="Price index %{y:.1f}<extra></extra>",
        )
    for frame in compared.values():
        add_band(drawn, frame["start"], 100 * frame["low"], 100 * frame["high"])
    drawn.update_yaxes(title_text="Price index", tickformat=".0f")
    if len(comparisons) == 1:
        only = next(iter(comparisons.values()))
        _add_periods(drawn, only.compared)
        add_sales_below(drawn, *(only.frame[name] for name in ("start", "sales", "period")))
    drawn.update_xaxes(title_text="Time of sale")
    parts = [comparisons[name].frame.assign(segment=name) for name in compared]
    captions = [index_caption(comparison, name) for name, comparison in comparisons.items()]
    headers = {
        "index": "Index of the period",
        "low": "Index from",
        "high": "Index to",
        "smoothed": "Price index",
    }
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return Chart(drawn, frame, "  \n".join(captions), headers)


def _add_periods(drawn: go.Figure, frame: pd.DataFrame) -> None:
    drawn.add_scatter(
        x=frame["start"],
        y=100 * frame["index"],
        mode="markers",
        marker={"size": 7, "color": FAINT},
        customdata=frame[["period", "sales"]].assign(
            low=100 * frame["low"], high=100 * frame["high"]
        ),
        hovertemplate="<b>%{customdata[0]}</b><br>Of this period %{y:.1f} (%{customdata[2]:.1f} to "
        "%{customdata[3]:.1f})<br>%{customdata[1]:,} sales<extra></extra>",
    )


def index_caption(comparison: Comparison, name: str = "") -> str:
    """Return how much prices changed like for like, with the confidence and what it rests on."""
    start = f"{name}: like" if name else "Like"
    frame = comparison.compared
    if len(frame) < 2:
        return f"{start} for like, too few of these sales to compare periods."
    first, last = frame.iloc[0], frame.iloc[-1]
    change = last["index"] - 1
    low, high = (signed_percent(last[end] - 1) for end in ("low", "high"))
    moved = f"prices {'rose' if change > 0 else 'fell'} {percent(abs(change))}"
    if last["low"] <= 1 <= last["high"]:
        moved = f"prices did not change measurably ({signed_percent(change)})"
    left_out = len(comparison.frame) - len(frame)
    note = f" {plural(left_out, 'period')} with fewer than {MIN_GROUP} sales left out."
    return (
        f"{start} for like, {moved} from {first['period']} to {last['period']} (95 % confidence: "
        f"{low} to {high}). The features of the homes explain "
        f"{percent(comparison.explained, 0)} of the differences in price."
        f"{note if left_out else ''}"
    )


def seasonality_chart(frame: pd.DataFrame, contract: Contract) -> Chart:
    """Median prices and the number of sales by month of the year (``price_by_month``)."""
    drawn = figure(400)
    drawn.add_scatter(
        x=frame["level"],
        y=frame["median"],
        error_y=error_bars(frame["median"], frame["lower_quarter"], frame["upper_quarter"]),
        mode="markers",
        marker={"size": 11},
        name="Median price and middle half",
        hovertemplate=f"<b>%{{x}}</b><br>Median price {money_hover(contract, 'y')}<extra></extra>",
    )
    drawn.update_yaxes(**price_axis(contract))
    add_sales_below(drawn, frame["level"], frame["sales"], frame["level"])
    drawn.update_xaxes(title_text="Month of sale", type="category")
    return Chart(drawn, frame, _season_caption(frame), {"level": "Month of sale"})


def _season_caption(by_month: pd.DataFrame) -> str:
    low, high = extremes(by_month, "sales")
    n_sales = by_month["sales"].sum()
    if len(by_month) < 2:
        return f"All of these homes were sold in {high['level']}."
    return (
        f"Most homes are sold in {high['level']} ({percent(high['sales'] / n_sales, 0)} of the "
        f"sales), fewest in {low['level']} ({percent(low['sales'] / n_sales, 0)})."
    )


def price_outliers_chart(
    frame: pd.DataFrame, n_shown: int, n_sales: int, contract: Contract
) -> Chart:
    """The prices of the first outliers, with the value and range of each (``price_outliers``).

    ``n_sales`` is the number of sales that were checked.
    """
    shown = frame.head(n_shown)
    drawn = figure(rows=len(shown) + 2)
    rows = sale_names(shown, "place").to_list()
    data = shown[["id", "low", "high"]]
    drawn.add_bar(
        x=shown["high"] - shown["low"],
        base=shown["low"],
        y=rows,
        orientation="h",
        marker={"color": BAND, "line": {"width": 0}},
        customdata=data,
        name="90 % range",
        hovertemplate=f"90 % range {money_hover(contract, 'customdata[1]')} to "
        f"{money_hover(contract, 'customdata[2]')}<extra></extra>",
    )
    for column, name, symbol, line in (
        ("value", "Estimated value", "line-ns-open", 2),
        ("price", "Price paid", "circle", 0),
    ):
        drawn.add_scatter(
            x=shown[column],
            y=rows,
            mode="markers",
            marker={"size": 12, "symbol": symbol, "line": {"width": line}},
            customdata=data,
            name=name,
            hovertemplate=f"{name} {money_hover(contract, 'x')}<extra></extra>",
        )
    drawn.update_layout(showlegend=True, bargap=0.45)
    # The names of the sales leave little room on a phone.
    drawn.update_xaxes(**price_axis(contract) | {"nticks": 5})
    drawn.update_yaxes(**category_axis(rows[::-1]), showgrid=False)
    if frame.empty:
        caption = "No price is outside the 90 % range of its estimated value."
    else:
        n_above = int((frame["off"] > 0).sum())
        caption = (
            f"{len(frame):,} of {n_sales:,} prices ({percent(len(frame) / n_sales, 0)}) are "
            "outside the 90 % range of a value estimated without them: "
            f"{len(frame) - n_above:,} below, {n_above:,} above. About 10 % are expected by "
            "chance; check the most extreme ones."
        )
    return Chart(drawn, frame, caption)


def contradictions_caption(frame: pd.DataFrame, n_sales: int) -> str:
    """Return how many sales have fields that contradict each other."""
    if frame.empty:
        return "No fields of these sales contradict each other."
    n_contradictory = frame["id"].nunique()
    verb = "has" if n_contradictory == 1 else "have"
    return f"{n_contradictory:,} of {n_sales:,} sales {verb} fields that contradict each other."


def field_summary(profile: FieldProfile, field: Field, association: float) -> str:
    """Return the completeness, range and typical value of a field, and its price association."""
    n_sales = profile.known + profile.not_known
    if not profile.known:
        return f"Not known for any of these {plural(n_sales, 'sale')}."
    known = f"Known for **{profile.known:,} of {n_sales:,}** sales"
    parts = [f"{known} ({profile.not_known:,} missing)" if profile.not_known else known]
    typical = f"**{field.format(profile.typical)}**"
    span = f"from **{field.format(profile.lowest)}** to **{field.format(profile.highest)}**"
    if field.kind in ("number", "year", "date"):
        parts += [span, f"median {typical}"]
    else:
        parts += [f"most frequent {typical} ({percent(profile.alike / profile.known, 0)})"]
        parts += [span] * (field.kind in ("count", "ordinal"))
    if profile.has_none and field.is_numeric:
        parts.append(f"**{profile.has_none:,}** homes have none")
    if not math.isnan(association):
        parts.append(f"association with the price **{abs(association):.2f}**")
    return "; ".join(parts) + "."
