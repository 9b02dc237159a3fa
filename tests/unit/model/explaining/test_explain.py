from copy import copy

import numpy as np
import pytest

from houseprice.market.sales import typical_house
from houseprice.model.explanation import Explainer
from houseprice.model.shapley import ShapleyExplainer
from houseprice.model.store.store import ModelStore


@pytest.fixture(scope="module")
def explainer(valuer, hamlet):
    return Explainer(valuer, typical_house(hamlet))


@pytest.fixture(scope="module")
def trained(model_dir, market):
    model = ModelStore(model_dir).load().model
    return model, Explainer(model, typical_house(market))


def in_cents(money):
    return np.rint(100 * np.asarray(money)).astype(int)


def test_contributions_add_up_to_the_predicted_price_to_the_cent_on_every_sale(trained, market):
    model, explainer = trained
    money = explainer.contributions(market.houses)
    np.testing.assert_array_equal(money, in_cents(money) / 100)
    total = in_cents(explainer.base_price) + in_cents(money).sum(axis=1)
    np.testing.assert_array_equal(total, in_cents(model.predict(market.houses)))


def test_what_is_spread_over_the_fields_to_make_the_sum_exact_is_next_to_nothing(trained, market):
    model, _ = trained
    attribution = ShapleyExplainer(model, typical_house(market))
    houses = attribution.impute(market.houses)
    log_price = np.log(model.predict(houses) / model.predict(attribution.base[np.newaxis]))
    assert np.abs(attribution.shapley_values(houses).sum(axis=1) - log_price).max() < 1e-4


def test_a_house_is_explained_the_same_alone_in_a_table_and_again(trained, market):
    _, explainer = trained
    together = explainer.contributions(market.houses)
    for row in range(0, len(together), 73):
        alone = explainer.contributions(market.houses.iloc[[row]])
        np.testing.assert_array_equal(alone[0], together[row])
    np.testing.assert_array_equal(explainer.contributions(market.houses), together)


def test_the_typical_house_explains_itself_with_nothing(explainer, hamlet):
    base = typical_house(hamlet)
    (explanation,) = explainer.explain(base.to_frame().T)
    assert explanation.price == explanation.base_price == explainer.base_price
    assert (explanation.contributions["contribution"] == 0).all()
    assert explanation.top_drivers() == ()
    assert explanation.waterfall().empty
    assert explanation.contributions["sentence"].str.endswith(", as in the typical house").all()


def test_a_sentence_says_what_is_there_instead_of_what_and_what_it_is_worth(explainer, hamlet):
    base = typical_house(hamlet)
    grade = 3.0 if base["grade"] != 3.0 else 0.0
    (explanation,) = explainer.explain(base.to_frame().T.assign(grade=grade))
    first = explanation.contributions.iloc[0]
    field = hamlet.contract.fields["grade"]
    assert (first["column"], first["label"], first["told"]) == (
        "grade",
        "Grade",
        field.format(grade),
    )
    start = f"Grade: {field.format(grade)} instead of {field.format(base['grade'])}, "
    assert first["sentence"].startswith(start)
    assert first["sentence"].removeprefix(start)[:2] == ("+€" if grade == 3.0 else "−€")
    assert explanation.top_drivers() == (first["sentence"],)


def test_an_unknown_fact_is_called_so(explainer, hamlet):
    house = typical_house(hamlet).to_frame().T.assign(built=1890.0, boiler=np.nan)
    (explanation,) = explainer.explain(house)
    boiler = explanation.contributions.set_index("column").loc["boiler"]
    assert boiler["told"] == "not known"
    assert boiler["sentence"].startswith("Year of the boiler: not known, taken as ")


def test_the_largest_contribution_comes_first(explainer, hamlet):
    for explanation in explainer.explain(hamlet.houses.iloc[:5]):
        assert explanation.contributions["contribution"].abs().is_monotonic_decreasing


@pytest.mark.parametrize("top", [0, 3, 20])
def test_a_waterfall_runs_from_the_base_price_to_the_price(explainer, hamlet, top):
    (explanation,) = explainer.explain(hamlet.houses.iloc[[7]])
    steps = explanation.waterfall(top)
    assert steps["price_after"].iloc[-1] == explanation.price
    total = explanation.base_price + steps["contribution"].sum()
    assert total == pytest.approx(explanation.price, abs=0.001)
    assert len(steps) <= top + 1
    if top == 3:
        assert steps["sentence"].iloc[-1].endswith("other fields together")


def test_reasons_of_a_table_are_those_of_each_house(explainer, hamlet):
    houses = hamlet.houses.iloc[:20]
    expected = [explanation.top_drivers(3) for explanation in explainer.explain(houses)]
    assert explainer.top_drivers(houses, 3) == expected


def test_a_price_cut_at_its_legal_limit_is_explained_too(hamlet, valuer):
    price = hamlet.contract.market.price
    limit = float(np.median(valuer.predict(hamlet.houses)))
    tight = hamlet.contract.market.model_copy(
        update={"price": price.model_copy(update={"range": (1_000, round(limit, 2))})}
    )
    limited = copy(valuer)
    limited.contract = valuer.contract.model_copy(update={"market": tight})
    explainer = Explainer(limited, typical_house(hamlet))
    money = explainer.contributions(hamlet.houses)
    total = in_cents(explainer.base_price) + in_cents(money).sum(axis=1)
    np.testing.assert_array_equal(total, in_cents(limited.predict(hamlet.houses)))
    assert total.max() == in_cents(round(limit, 2))
