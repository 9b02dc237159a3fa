"""The tabs of what drives price: importance, partial dependence, interactions, selection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.market.fields import Field
from houseprice.market.sales import typical_house
from houseprice.market.validation import validate
from houseprice.model.study import Study
from houseprice.model.what_if import step_effect
from houseprice.ui.charts import feature_importance as importance_charts
from houseprice.ui.charts import partial_dependence as effect_charts
from houseprice.ui.charts.panel import panel, readable_headers
from houseprice.ui.charts.style import MIN_SALES, money_cells
from houseprice.ui.house.state import house_frame, last_valued_row
from houseprice.ui.layout import choose, choose_option, is_supported, show_missing_study, show_table
from houseprice.ui.session import (
    backend,
    by_market,
    by_version,
    importance,
    market,
    ranked_columns,
    study_of,
    typical,
)

_MARKET, _AREA, _OWN = "The market", "An area", "My house"
_N_STEPS = 12
_TOP = 9  # features of each measure in the charts
_MAX_BARS = 15
_MAX_AREAS = 300
_MAX_PAIRS = 10
_METRICS = {"median_ape": "Median error", "mean_ape": "Mean error", "within_10": "Within 10 %"}


def show_feature_importance(contract: Contract) -> None:
    """Show what one step of each feature is worth, and behind a button the other measures."""
    if "effect" not in backend().info().capabilities:
        _show_methods(contract)
        return
    _show_steps(contract)
    with st.expander("Compare methods", key="methods", on_change="rerun") as methods:
        if methods.open:
            _show_methods(contract)


def _show_steps(contract: Contract) -> None:
    location = contract.field_of("location")
    areas: list[str] = []
    if location is not None:
        counts = market().houses[location.column].map(location.format).value_counts()
        areas = list(counts.index[counts >= MIN_SALES][:_MAX_AREAS])
    scopes = (_MARKET, _AREA, _OWN) if areas else (_MARKET, _OWN)
    scope = choose_option("Show it for", scopes, _MARKET, "steps_for")
    row: Mapping[str, object] | None = None
    subject = "On average over the homes of the market"
    if scope == _AREA and location is not None:
        label = choose(location.label, sorted(areas), "steps_area")
        row = _typical_of_area(location.column, location.labels.index(label))
        subject = f"For the typical house of {label}"
    elif scope == _OWN:
        row = last_valued_row()
        subject = "For the house that you valued last"
        if row is None:
            st.info("Value a house first, then it is shown here.", icon=":material/home:")
            st.page_link("pages/value/house.py", label="Value a house")
            return
    left_out = {field.column for field in contract.fields.values() if field.at_sale}
    # One step east means nothing to a visitor.
    left_out |= {field.column for field in contract.coordinates or ()}
    columns = [column for column in ranked_columns() if column not in left_out]
    panel(
        importance_charts.step_chart(_steps(columns[:_N_STEPS], row), contract, subject),
        key="steps",
    )
    st.caption(
        "**Method.** The value with one step of a feature less the value without it; all other "
        "features are unchanged (partial dependence). The most important features are shown. Steps "
        "start at the house or at the median of the sales; levels without an order are compared at "
        "the quartiles of the sales by price."
    )


def _steps(columns: Sequence[str], row: Mapping[str, object] | None) -> pd.DataFrame:
    """Return label, step and difference of each feature, for a house or the market."""
    fields = market().contract.fields
    steps = []
    for column in columns:
        curve = effect(column, row)
        known = market().houses[column].to_numpy(np.float64)
        steps.append((fields[column].label, *step_effect(curve, fields[column], known)))
    return pd.DataFrame(steps, columns=["label", "step", "difference"])


@by_market
def _typical_of_area(column: str, location: int) -> Mapping[str, object]:
    """Return the raw fields of the typical house of an area."""
    sales = market()
    there = sales.houses[column].to_numpy(np.float64) == location
    area = replace(sales, houses=sales.houses[there], prices=sales.prices[there])
    house = typical_house(area)
    return {name: each.code(float(house[name])) for name, each in sales.contract.fields.items()}


def _show_methods(contract: Contract) -> None:
    info = backend().info()
    if not is_supported(info, "importance"):
        st.markdown("See how features are associated with the price in the sales themselves:")
        st.page_link(
            "pages/market/explore.py", label="Explore the sales", icon=":material/query_stats:"
        )
        return
    study = study_of(info.model_version) if is_supported(info, "study") else None
    if study is not None and not study.is_complete:
        show_missing_study(info.model_version)
        study = None
    in_money = choose_option("Unit", ("Percent", "Money"), "Percent", "unit") == "Money"
    if study is None:
        first = importance().head(_MAX_BARS)
        chart = importance_charts.permutation_chart(importance(), first, contract, in_money)
        panel(chart, key="importance")
    else:
        _show_measures(importance_frame(importance(), study), study, contract, in_money)
    used = "" if study is None else f"; computed from {study.n_sales('groups'):,} sales"
    st.caption(
        "**Method.** *Permutation importance:* sales are valued by a model that was not trained on "
        "them; then the values of one feature are shuffled among these homes, and they are valued "
        "again. *Contribution:* how much the feature adds to or subtracts from the value of a home "
        "compared to the typical home, as a mean absolute value (SHAP). *Group ablation:* models "
        f"are trained again without a group of features, so that others replace it{used}. The thin "
        "line shows the spread between sets of sales. A grey bar is shorter than its spread, so "
        "the effect may be zero."
    )


def importance_frame(importance: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Add to the permutation importance of each feature its contribution.

    The contribution is in money, and in percent of the average price.
    """
    by_column = study.contributions.set_index("column")["contribution"].astype("float64")
    contribution = importance["column"].map(by_column).fillna(0.0)
    average = float(study.held_out["price"].mean()) if len(study.held_out) else float("nan")
    return importance.assign(
        contribution_money=contribution, contribution_pct=100 * contribution / average
    )


def top_features(features: pd.DataFrame, in_money: bool, n: int = _TOP) -> pd.DataFrame:
    """Return the first `n` features by each of both measures, in the order of the first."""
    unit = importance_charts.unit_suffix(in_money)
    first = {
        index
        for measure in ("importance", "contribution")
        for index in features.nlargest(n, f"{measure}_{unit}").index
    }
    return features.loc[sorted(first)].sort_values(f"importance_{unit}", ascending=False)


def _show_measures(
    features: pd.DataFrame, study: Study, contract: Contract, in_money: bool
) -> None:
    top = top_features(features, in_money)
    groups = study.groups.sort_values(
        f"loss_{importance_charts.unit_suffix(in_money)}", ascending=False
    )
    n_bars = max(len(top), len(groups))
    # Aligned at the bottom, so that a feature is at the same height in the first two charts.
    grid = st.grid(3, min_column_width=240, vertical_alignment="bottom", gap="medium")
    with grid.cell():
        chart = importance_charts.permutation_chart(features, top, contract, in_money, n_bars)
        panel(chart, key="importance")
    with grid.cell():
        chart = importance_charts.contribution_chart(features, top, contract, in_money, n_bars)
        panel(chart, key="contributions")
    with grid.cell():
        panel(
            importance_charts.group_ablation_chart(groups, contract, in_money, n_bars), key="groups"
        )
    with st.expander(f"All {len(features)} features"):
        _show_table(features, contract, in_money)


def _show_table(features: pd.DataFrame, contract: Contract, in_money: bool) -> None:
    unit = importance_charts.unit_suffix(in_money)
    number_format = money_cells(contract) if in_money else "%.2f %%"
    headers = {
        f"importance_{unit}": "Permutation importance",
        f"spread_{unit}": "Spread of the importance",
        f"contribution_{unit}": "Mean contribution",
    }
    number = st.column_config.NumberColumn
    columns = {name: number(title, format=number_format) for name, title in headers.items()}
    show_table(
        features.sort_values(f"importance_{unit}", ascending=False)[["label", *headers]],
        key="importance_table",
        alt="The importance of each feature by both measures",
        columns={"label": "Feature", **columns},
    )


def show_partial_dependence(contract: Contract) -> None:
    """Show how the values of the market's homes change with one feature."""
    if not is_supported(backend().info(), "effect"):
        return
    columns = {contract.fields[column].label: column for column in ranked_columns()}
    label = choose("Feature", list(columns), "effect_of")
    field = contract.fields[columns[label]]
    st.caption(field.help)
    known = market().houses[field.column].to_numpy(np.float64)
    curve = effect_charts.count_sales(effect(field.column), field, known)
    mark = _last_house(field, contract)
    n_known = int(np.isfinite(known).sum())
    chart = effect_charts.effect_chart(curve, field, contract, n_known, mark)
    panel(chart, key="effect")
    if mark is None:
        st.page_link(
            "pages/value/house.py",
            label="Value a house to see it in this chart",
            icon=":material/real_estate_agent:",
        )
    legend = (
        "Dot: mean value. Grey line: middle 80 % of the homes. Faint marks: single homes."
        if field.levels
        else "Strong line: mean value. Band: middle 80 % of the homes. Faint lines: single homes."
    )
    st.caption(
        "**Method.** Homes of the market are valued repeatedly with only this feature changed "
        f"(partial dependence). {legend} Where few sales are, or where such homes could hardly "
        "exist, rely on the shape and not on the exact values."
    )


def _last_house(field: Field, contract: Contract) -> effect_charts.Mark | None:
    """Return the house that this visitor valued last, if it still has a value."""
    row = last_valued_row()
    if row is None:
        return None
    rows = house_frame(row)
    price = float(backend().value(rows).valuations["predicted_price"].iloc[0])
    if np.isnan(price):
        return None
    value = float(validate(rows, contract).houses[field.column].iloc[0])
    return effect_charts.Mark(value, field.format(value), price)


def show_interactions(contract: Contract) -> None:
    """Show the pairs of features that interact most, and one of them in detail."""
    info = backend().info()
    if not is_supported(info, "study"):
        return
    study = study_of(info.model_version)
    interactions = study.interactions
    if not study.is_complete:
        show_missing_study(info.model_version)
        return
    pairs = name_pairs(interactions.head(_MAX_PAIRS))
    chart = effect_charts.interactions_chart(pairs, contract)
    selected = new_selection(panel(chart, key="pairs", picks=True), "pair_picked")
    if selected is not None:
        st.session_state["pair"] = selected
    if is_supported(info, "effect"):
        _show_pair(pairs, contract)
    st.caption(
        "**Method.** A home takes the value of one feature from another home, chosen at random; "
        "then that of a second feature; then both. The interaction is the part of the joint "
        "change, in percent of the value, that exceeds both single changes; the bars show it in "
        "money. Only the most important features are compared, among "
        f"{study.n_sales('interactions'):,} sales."
    )


def name_pairs(interactions: pd.DataFrame) -> pd.DataFrame:
    """Add the name of each pair: "Living area and Quality"."""
    return interactions.assign(
        pair=interactions["first_label"] + " and " + interactions["second_label"]
    )


def new_selection(selected: Sequence[str], key: str) -> str | None:
    """Return what was just selected in a chart, once: later runs leave it to other widgets."""
    previous = st.session_state.get(key)
    st.session_state[key] = tuple(selected)
    return selected[0] if selected and tuple(selected) != previous else None


def _show_pair(pairs: pd.DataFrame, contract: Contract) -> None:
    names = list(pairs["pair"])
    if st.session_state.get("pair") not in names:
        st.session_state.pop("pair", None)
    name = st.selectbox("Pair (or select its bar)", names, key="pair", persist_state="session")
    row = pairs.iloc[names.index(name)]
    first, second = contract.fields[row["first"]], contract.fields[row["second"]]
    if second.is_numeric and not first.is_numeric:
        # A number on the x axis gives lines, which are easier to compare than rows of dots.
        first, second = second, first
    curves = _pair_curves(first, second)
    if curves["setting"].nunique() < 2:
        st.info("The typical house cannot take enough values of these two features.")
        return
    values = _representative_values(first)
    span = (values[0], values[-1])
    chart = effect_charts.pair_chart(curves, first, second, span, contract)
    panel(chart, key="pair_effect")


def _pair_curves(first: Field, second: Field) -> pd.DataFrame:
    """Return the curve of the first feature for the typical house with values of the second."""
    fields = market().contract.fields
    house = {name: field.code(float(typical()[name])) for name, field in fields.items()}
    curves = []
    for value in _representative_values(second):
        try:
            curve = effect(first.column, {**house, second.column: second.code(value)})
        except InputError:
            continue  # such a house would violate a rule of the market
        curves.append(curve[["value", "label", "price"]].assign(setting=second.format(value)))
    columns = ["setting", "value", "label", "price"]
    return (
        pd.concat(curves, ignore_index=True)[columns] if curves else pd.DataFrame(columns=columns)
    )


def _representative_values(field: Field) -> tuple[float, ...]:
    known = market().houses[field.column].to_numpy(np.float64)
    return representative_values(field, known, effect(field.column))


def representative_values(
    field: Field, known: NDArray[np.float64], curve: pd.DataFrame
) -> tuple[float, ...]:
    """Return two or three values that occur in the sales, from low to high.

    These are the percentiles 5, 50 and 95; for nominal levels, those of the curve by price.
    """
    if field.kind == "nominal":
        ordered = curve.sort_values("price")["value"].to_list()
        values = [ordered[0], ordered[len(ordered) // 2], ordered[-1]]
    else:
        known = known[np.isfinite(known)]
        values = np.quantile(known, [0.05, 0.5, 0.95], method="nearest").tolist()
        if values[0] == values[-1]:
            values = [float(known.min()), float(known.max())]
    return tuple(dict.fromkeys(values))


def effect(column: str, row: Mapping[str, object] | None = None) -> pd.DataFrame:
    """Return the value along a feature, of a house or on average over the market; read-only."""
    return _effect(column, None if row is None else tuple(row.items()))


@by_version
def _effect(column: str, row: tuple[tuple[str, object], ...] | None) -> pd.DataFrame:
    return backend().effect(column, None if row is None else house_frame(dict(row)))


def show_feature_selection(contract: Contract) -> None:
    """Show the accuracy of models with fewer features, and which features these are."""
    info = backend().info()
    if not is_supported(info, "study"):
        return
    study = study_of(info.model_version)
    if not study.is_complete:
        show_missing_study(info.model_version)
        return
    metric = choose_option(
        "Metric", list(_METRICS), "median_ape", "accuracy_as", _METRICS.__getitem__
    )
    panel(importance_charts.feature_selection_chart(study.fewer, metric), key="fewer")
    _show_selected(study.chosen, contract)
    st.caption(
        "**Method.** In each of several sets of sales, a model ranks the features. A new model is "
        "trained on the first of them only, and values sales that neither it nor the ranking has "
        f"used. This is computed from {study.n_sales('fewer'):,} sales, and only some of them are "
        "valued like this, so the error with all features differs slightly from that on the page "
        "Model performance, which is of all sales."
    )


def _show_selected(chosen: pd.DataFrame, contract: Contract) -> None:
    sizes = sorted({int(n) for n in chosen["n_fields"]})
    if not sizes:
        return
    default = sizes[min(1, len(sizes) - 1)]
    n_features = choose_option("Selected features", sizes, default, "n_facts", "{} features".format)
    features = selected_features(chosen, float(n_features), contract)
    caption = importance_charts.selection_caption(features)
    st.markdown(caption)
    share = st.column_config.ProgressColumn(
        "Selected in", format="%.0f %% of the sets", min_value=0, max_value=100
    )
    show_table(
        features.assign(folds=100 * features["folds"]),
        key="chosen_table",
        alt=caption,
        columns={"label": "Feature", "group": "Group", "folds": share},
        data=readable_headers(
            features, {"label": "Feature", "folds": "Share of the sets that selected it"}
        ),
    )


def selected_features(chosen: pd.DataFrame, n_features: float, contract: Contract) -> pd.DataFrame:
    """Return label, folds and group of the features of a model of this size, by folds."""
    titles = {group.key: group.title for group in contract.groups}
    features = chosen[chosen["n_fields"] == n_features].sort_values(
        "folds", ascending=False, kind="stable"
    )
    groups = [
        titles[contract.fields[column].group] if column in contract.fields else ""
        for column in features["column"]
    ]
    return features[["label", "folds"]].assign(group=groups).reset_index(drop=True)
