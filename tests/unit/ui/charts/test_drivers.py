"""What drives price: frames, charts and sentences, from figures made up to have one answer."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from houseprice.market.contract import Contract
from houseprice.market.sales import Market
from houseprice.ui.charts import feature_importance as charts_drivers
from houseprice.ui.charts import feature_importance as told
from houseprice.ui.charts import partial_dependence as charts_effects
from houseprice.ui.charts import partial_dependence as charts_pairs
from houseprice.ui.charts import partial_dependence as findings_effects
from houseprice.ui.charts import partial_dependence as findings_pairs
from houseprice.ui.charts import style as charts
from houseprice.ui.charts.feature_importance import Reading
from houseprice.ui.charts.partial_dependence import Mark
from houseprice.ui.drivers.effect_tabs import count_sales, name_pairs
from houseprice.ui.drivers.importance_tabs import selected_features

LOSS = Reading("loss_pct", "spread_pct", "Further off", "further off", names="title", key="group")


@pytest.fixture(scope="module")
def contract(market: Market) -> Contract:
    return market.contract


@pytest.fixture
def groups() -> pd.DataFrame:
    loss = [1.6, 1.2, 0.4, 0.1, -0.1]
    return pd.DataFrame(
        {
            "group": ["quality", "location", "basement", "garage", "sale"],
            "title": ["Quality", "Location", "Basement", "Garage", "The sale"],
            "n_fields": [5.0, 13.0, 9.0, 8.0, 4.0],
            "loss_pct": loss,
            "spread_pct": [0.4, 0.5, 0.2, 0.4, 0.2],
            "loss_money": [2_500.0, 2_000.0, 700.0, 200.0, -60.0],
            "spread_money": [500.0, 900.0, 400.0, 600.0, 200.0],
        }
    )


@pytest.fixture
def facts() -> pd.DataFrame:
    importance = [8.04, 3.0, 2.0, 1.0, 0.3, -0.1]
    moves = [9.0, 1.0, 3.0, 2.0, 6.0, 5.0]
    return pd.DataFrame(
        {
            "column": list("abcdef"),
            "label": ["Size", "Age", "Grade", "Lot", "Zone", "Roof"],
            "group": ["quality", "quality", "basement", "basement", "basement", "sale"],
            "importance_pct": importance,
            "spread_pct": [0.5, 0.5, 0.5, 0.5, 0.5, 0.5],
            "importance_money": [14_449.0, 6_000.0, 4_000.0, 2_000.0, 600.0, 0.0],
            "spread_money": 900.0,
            "contribution_pct": moves,
            "contribution_money": [1_800.0 * share for share in moves],
        }
    )


def curve(values: list[float], prices: list[float], **more: object) -> pd.DataFrame:
    return pd.DataFrame({"value": values, "label": "here", "price": prices}).assign(**more)


def market_curve(contract: Contract, column: str) -> pd.DataFrame:
    field = contract.fields[column]
    values = [float(value) for value in range(len(field.levels) or 15)]
    return pd.DataFrame(
        {
            "value": values,
            "label": [field.format(value) for value in values],
            "price": [100_000.0 + 1_000 * value for value in values],
            "low": 90_000.0,
            "high": 120_000.0,
            "each": [[95_000.0, 105_000.0 + value] for value in values],
            "sales": 3,
        }
    )


# ------------------------------------------------------------------------- how much each matters


def test_importance_in_percent_and_in_money(facts: pd.DataFrame, contract: Contract) -> None:
    percent = told.importance_finding(facts, contract, in_money=False)
    assert "“Size”" in percent
    assert "8.0 % of the price" in percent
    assert "$14,400" in told.importance_finding(facts, contract, in_money=True)


def test_how_far_facts_move_values(facts: pd.DataFrame, contract: Contract) -> None:
    text = told.contribution_finding(facts, contract, in_money=True)
    assert text.startswith("“Size” moves a value by $16,200 on average")
    assert "0 of 6 facts" in text


def test_groups_within_the_spread_of_the_first_are_not_told_from_it(
    groups: pd.DataFrame, contract: Contract
) -> None:
    text = told.group_finding(groups, contract, in_money=False)
    assert "“Quality” would be missed most: 1.6 % of the price" in text
    assert "“Location” can't be told from it" in text
    assert "“Basement”" not in text
    assert "any one of the 2 in grey" in text


def test_losses_within_their_spread_are_no_losses(groups: pd.DataFrame, contract: Contract) -> None:
    text = told.group_finding(groups.assign(spread_pct=2.0), contract, in_money=False)
    assert text.startswith("No group of facts would be missed for sure")


def test_the_readings_are_compared_on_the_fact_they_differ_on_most(
    facts: pd.DataFrame, groups: pd.DataFrame
) -> None:
    first, differ, stand_in = told.readings_finding(facts, groups)
    assert first == "Both readings of single facts put “Size” first."
    # “Zone” and “Roof” are further apart, but within the spread of what is lost without them.
    assert "“Age”, number 2 by how wrong values get without it and number 6" in differ
    assert "the 5 facts of “Quality” add up to 11.0 % of the price" in stand_in
    assert "loses 1.6" in stand_in


def test_readings_that_agree_say_so(facts: pd.DataFrame, groups: pd.DataFrame) -> None:
    alike = facts.assign(contribution_pct=facts["importance_pct"])
    assert told.readings_finding(alike, groups.head(0))[1:] == ["Their orders are nearly the same."]
    other = facts.assign(contribution_pct=facts["importance_pct"].to_numpy()[::-1])
    assert "“Roof” by how far" in told.readings_finding(other, groups)[0]


def test_bars_no_longer_than_their_spread_are_grey(
    groups: pd.DataFrame, contract: Contract
) -> None:
    clear, grey = charts_drivers.reading(groups, LOSS, contract, money=False).data
    assert list(clear.y) == ["Quality", "Location", "Basement"]
    assert clear.marker.color is None
    assert list(grey.x) == [0.1, -0.1]
    assert grey.marker.color == charts.FAINT
    assert list(grey.error_x.array) == [0.4, 0.2]
    assert clear.customdata[0][0] == "quality"


@pytest.mark.parametrize(
    ("money", "unit", "prefix"), [(True, "(USD)", "$"), (False, "(% of the price)", None)]
)
def test_a_reading_names_its_unit(
    groups: pd.DataFrame, contract: Contract, money: bool, unit: str, prefix: str | None
) -> None:
    axis = charts_drivers.reading(groups, LOSS, contract, money).layout.xaxis
    assert axis.title.text.endswith(unit)
    assert axis.tickprefix == prefix


# ------------------------------------------------------------------------------- how few will do


@pytest.fixture
def fewer() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "n_fields": [5.0, 10.0, 79.0],
            "rmsle": 0.1,
            "median_ape": [0.0713, 0.0540, 0.0471],
            "mean_ape": 0.08,
            "within_10": [0.66, 0.74, 0.81],
        }
    )


def test_the_fewest_facts_that_come_near_are_told(fewer: pd.DataFrame) -> None:
    assert told.fewer_finding(fewer) == (
        "10 facts bring you within 0.7 points of all 79: half of the values are off by less than "
        "5.4 %, against 4.7 %. With 5 it is 7.1 %."
    )
    far = fewer.assign(median_ape=[0.2, 0.1, 0.05])
    assert "10 facts bring you within 5.0 points" in told.fewer_finding(far)
    assert "all 79 facts were tried" in told.fewer_finding(fewer.tail(1))


def test_fewer_facts_are_drawn_in_the_measure_that_was_chosen(fewer: pd.DataFrame) -> None:
    line = charts_drivers.fewer(fewer, "within_10").data[0]
    assert list(line.text) == ["66.0 %", "74.0 %", "81.0 %"]
    assert list(line.x) == [5, 10, 79]


def test_the_surest_facts_come_first(contract: Contract) -> None:
    chosen = pd.DataFrame(
        {
            "n_fields": [5.0, 10.0, 10.0],
            "column": ["LotArea", "LotArea", "GrLivArea"],
            "label": ["Lot area", "Lot area", "Living area"],
            "folds": [1.0, 0.6, 1.0],
        }
    )
    facts = selected_features(chosen, 10, contract)
    assert list(facts["label"]) == ["Living area", "Lot area"]
    assert list(facts["group"]) == ["Size and rooms", "Location and lot"]
    assert told.chosen_finding(facts).startswith("1 of these 2 facts were chosen whichever")
    assert told.chosen_finding(facts.head(1)).startswith("The same 1 facts")


# ----------------------------------------------------------------------- what changing one does


def test_an_effect_is_said_in_money_between_the_ends(contract: Contract) -> None:
    area = contract.fields["GrLivArea"]
    effect = findings_effects.effect_finding
    assert effect(curve([1_000, 2_000], [100_000, 148_300]), area, contract) == (
        "From 1,000 sq ft to 2,000 sq ft the average value rises by $48,000, with everything else "
        "left as it is."
    )
    assert "hardly depends" in effect(curve([1_000, 2_000], [100_000, 100_100]), area, contract)
    assert "alike" in effect(curve([1_000], [100_000]), area, contract)


def test_levels_without_an_order_are_compared_from_cheapest_to_dearest(contract: Contract) -> None:
    place = contract.fields["Neighborhood"]
    frame = curve([0, 1, 2], [150_000, 100_000, 200_000])
    text = findings_effects.effect_finding(frame, place, contract)
    assert text.startswith(f"From “{place.labels[1]}” to “{place.labels[2]}”")
    assert "rises by $100,000" in text
    ordered = count_sales(frame, place, np.array([1.0, 1.0, 2.0, np.nan]))
    assert list(ordered["value"]) == [1, 0, 2]
    assert list(ordered["sales"]) == [2, 0, 1]


def test_every_sale_is_counted_at_the_nearest_value_or_told_to_lie_beyond(
    contract: Contract,
) -> None:
    known = np.array([900.0, 1_000, 1_049, 1_051, 1_149, 1_151, np.nan])
    found = count_sales(curve([1_000, 1_100], [1.0, 2.0]), contract.fields["GrLivArea"], known)
    assert list(found["sales"]) == [2, 2]
    assert findings_effects.beyond_finding(found, 6).startswith("2 of 6 sales lie beyond")
    assert findings_effects.beyond_finding(found, 4) == ""


@pytest.mark.parametrize(
    ("value", "price", "words"),
    [
        (1_500, 135_000, "$10,000 above the average there"),
        (1_500, 125_200, "as the average is there"),
        (5_000, 135_000, "where the curve does not reach"),
        (np.nan, 135_000, "this fact of it is not told"),
    ],
)
def test_the_house_last_valued_is_told_beside_the_average(
    contract: Contract, value: float, price: float, words: str
) -> None:
    area = contract.fields["GrLivArea"]
    frame = curve([1_000, 2_000], [100_000, 150_000])
    mark = Mark(value, area.format(value), price)
    assert words in findings_effects.mark_finding(mark, frame, area, contract)


@pytest.mark.parametrize("column", ["GrLivArea", "KitchenQual", "Neighborhood"])
def test_an_effect_shows_the_average_the_house_and_single_homes(
    contract: Contract, column: str
) -> None:
    field = contract.fields[column]
    frame = market_curve(contract, column)
    mark = Mark(1.0, field.format(1.0), 111_000.0)
    drawn = charts_effects.effect(frame, field, contract, mark)
    names = [trace.name for trace in drawn.data]
    # The second colour of the palette is the house's.
    assert names.index("The house last valued") == 1
    singles = drawn.data[names.index("Single homes")]
    assert len(singles.x) == 2 * (len(frame) + 1)
    titles = [drawn.layout.xaxis.title.text, drawn.layout.yaxis.title.text]
    assert "Average value (USD)" in titles
    assert f'"{column}"' not in json.dumps(json.loads(drawn.to_json())["data"])
    bare = charts_effects.effect(frame.drop(columns="each"), field, contract)
    assert not {"The house last valued", "Single homes"} & {trace.name for trace in bare.data}


def test_the_sales_stand_under_the_curve_on_the_same_axis(contract: Contract) -> None:
    drawn = charts_effects.effect(
        market_curve(contract, "GrLivArea"), contract.fields["GrLivArea"], contract
    )
    bars = next(trace for trace in drawn.data if isinstance(trace, go.Bar))
    assert bars.yaxis == "y2"
    assert list(bars.x) == list(drawn.data[0].x)
    assert drawn.layout.yaxis2.domain[1] < drawn.layout.yaxis.domain[0]


def test_levels_carry_their_number_of_sales(contract: Contract) -> None:
    drawn = charts_effects.effect(
        market_curve(contract, "KitchenQual"), contract.fields["KitchenQual"], contract
    )
    assert drawn.data[0].y[0].endswith("(3)")


# ------------------------------------------------------------------------ facts that work together


def two_curves(low: list[float], high: list[float]) -> pd.DataFrame:
    return pd.concat(
        [
            curve([1_000, 2_000], low, setting="Fair"),
            curve([1_000, 2_000], high, setting="Good"),
        ],
        ignore_index=True,
    )


@pytest.mark.parametrize(
    ("high", "words"),
    [
        ([200_000, 300_000], "the better “Kitchen quality”, the more the change is worth, though"),
        ([200_000, 320_000], "the more the change is worth, in money and in percent"),
        ([100_000, 120_000], "the less the change is worth, in money and in percent"),
        ([300_000, 390_000], "the more the change is worth in money, and the less in percent"),
        ([100_000, 151_000], "much the same whatever “Kitchen quality” is"),
    ],
)
def test_the_direction_of_a_pair_is_told_in_money_and_in_percent(
    contract: Contract, high: list[float], words: str
) -> None:
    text = findings_pairs.pair_finding(
        two_curves([100_000, 150_000], high),
        contract.fields["GrLivArea"],
        contract.fields["KitchenQual"],
        (1_000, 2_000),
        contract,
    )
    assert "from 1,000 sq ft to 2,000 sq ft adds $50,000 (50 %)" in text
    assert "where “Kitchen quality” is “Fair”" in text
    assert words in text


def test_the_strongest_pair_is_named(contract: Contract) -> None:
    found = pd.DataFrame({"first_label": ["Age"], "second_label": ["Grade"], "strength": [1_582.0]})
    pairs = name_pairs(found)
    assert "“Age” and “Grade” work together most" in findings_pairs.pairs_finding(pairs, contract)
    assert "$1,600" in findings_pairs.pairs_finding(pairs, contract)
    bars = charts_pairs.pair_strengths(pairs, contract).data[0]
    assert bars.customdata[0][0] == "Age and Grade"


def test_each_setting_of_a_pair_is_a_line_or_dots(contract: Contract) -> None:
    area, kitchen = contract.fields["GrLivArea"], contract.fields["KitchenQual"]
    frame = two_curves([1.0, 2.0], [3.0, 4.0])
    lines = charts_pairs.pair(frame, area, kitchen, contract)
    assert [trace.name for trace in lines.data] == [
        "Kitchen quality: Fair",
        "Kitchen quality: Good",
    ]
    assert {trace.mode for trace in lines.data} == {"lines"}
    dots = charts_pairs.pair(frame, kitchen, area, contract)
    assert {trace.mode for trace in dots.data} == {"markers"}
    assert list(dots.data[1].x) == [3.0, 4.0]
