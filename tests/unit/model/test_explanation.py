"""Explanations add up to the predicted price to the cent, on every sale."""

from copy import copy

import numpy as np
import pytest

from houseprice.market.sales import typical_house
from houseprice.model.explanation import Explainer
from houseprice.model.shapley import ShapleyExplainer


@pytest.fixture(scope="module")
def explainer(valuer, hamlet):
    return Explainer(valuer, typical_house(hamlet))


def in_cents(money):
    return np.rint(100 * np.asarray(money)).astype(int)


def test_contributions_of_ames_add_up_to_the_cent_the_same_alone_and_in_a_table(trained, market):
    model = trained.model
    explainer = Explainer(model, typical_house(market))
    money = explainer.contributions(market.houses)
    np.testing.assert_array_equal(money, in_cents(money) / 100)
    total = in_cents(explainer.base_price) + in_cents(money).sum(axis=1)
    np.testing.assert_array_equal(total, in_cents(model.predict(market.houses)))
    for row in range(0, len(money), 73):
        alone = explainer.contributions(market.houses.iloc[[row]])
        np.testing.assert_array_equal(alone[0], money[row])
    # What is spread over the fields to make the sum exact is next to nothing.
    attribution = ShapleyExplainer(model, typical_house(market))
    houses = attribution.impute(market.houses)
    log_price = np.log(model.predict(houses) / model.predict(attribution.base[np.newaxis]))
    assert np.abs(attribution.shapley_values(houses).sum(axis=1) - log_price).max() < 1e-4


def test_the_typical_house_has_no_contributions(explainer, hamlet):
    (explanation,) = explainer.explain(typical_house(hamlet).to_frame().T)
    assert explanation.price == explanation.base_price == explainer.base_price
    assert (explanation.contributions["contribution"] == 0).all()
    assert explanation.top_drivers() == ()
    assert explanation.waterfall().empty
    assert explanation.contributions["sentence"].str.endswith(", as in the typical house").all()


def test_a_sentence_names_the_value_that_of_the_base_house_and_the_difference(explainer, hamlet):
    base, field = typical_house(hamlet), hamlet.contract.fields["grade"]
    grade = 3.0 if base["grade"] != 3.0 else 0.0
    (explanation,) = explainer.explain(base.to_frame().T.assign(grade=grade))
    first = explanation.contributions.iloc[0]
    assert first[["column", "label", "told"]].tolist() == ["grade", "Grade", field.format(grade)]
    start = f"Grade: {field.format(grade)} instead of {field.format(base['grade'])}, "
    assert first["sentence"].startswith(start + ("+€" if grade == 3.0 else "−€"))
    assert explanation.top_drivers() == (first["sentence"],)


def test_an_imputed_field_is_marked_as_not_known(explainer, hamlet):
    house = typical_house(hamlet).to_frame().T.assign(built=1890.0, boiler=np.nan)
    (explanation,) = explainer.explain(house)
    boiler = explanation.contributions.set_index("column").loc["boiler"]
    assert boiler["told"] == "not known"
    assert boiler["sentence"].startswith("Year of the boiler: not known, taken as ")


@pytest.mark.parametrize("top", [0, 3, 20])
def test_a_waterfall_runs_from_the_base_price_to_the_price_the_largest_first(
    explainer, hamlet, top
):
    (explanation,) = explainer.explain(hamlet.houses.iloc[[7]])
    assert explanation.contributions["contribution"].abs().is_monotonic_decreasing
    steps = explanation.waterfall(top)
    assert steps["price_after"].iloc[-1] == explanation.price
    total = explanation.base_price + steps["contribution"].sum()
    assert total == pytest.approx(explanation.price, abs=0.001)
    assert len(steps) <= top + 1
    if top == 3:
        assert steps["sentence"].iloc[-1].endswith("other fields together")


def test_the_top_drivers_of_a_table_are_those_of_each_house(explainer, hamlet):
    houses = hamlet.houses.iloc[:20]
    expected = [explanation.top_drivers(3) for explanation in explainer.explain(houses)]
    assert explainer.top_drivers(houses, 3) == expected


def test_a_price_clipped_at_its_legal_limit_is_explained_too(hamlet, valuer):
    price = hamlet.contract.market.price
    limit = round(float(np.median(valuer.predict(hamlet.houses))), 2)
    clipped = price.model_copy(update={"range": (1_000, limit)})
    summary = hamlet.contract.market.model_copy(update={"price": clipped})
    limited = copy(valuer)
    limited.contract = valuer.contract.model_copy(update={"market": summary})
    explainer = Explainer(limited, typical_house(hamlet))
    money = explainer.contributions(hamlet.houses)
    total = in_cents(explainer.base_price) + in_cents(money).sum(axis=1)
    np.testing.assert_array_equal(total, in_cents(limited.predict(hamlet.houses)))
    assert total.max() == in_cents(limit)
