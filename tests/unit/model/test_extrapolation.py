"""Houses beyond the sales have a wider range, a low confidence and a warning."""

import numpy as np
import pytest

from houseprice.model.metrics import coverage
from houseprice.model.valuation import MAX_CONFIDENCE_OUTSIDE, ValuationModel


@pytest.fixture
def house(hamlet):
    return hamlet.houses.iloc[[4]]


def width(values):
    return ((values["price_high"] - values["price_low"]) / values["predicted_price"]).to_numpy()


def test_most_sales_are_no_extrapolation(valuer, training_sales):
    std, unlikeness = valuer.regressor_.extrapolation_.measure(training_sales[0].to_numpy())
    assert np.mean(std == 0) > 0.7
    assert unlikeness.max() == pytest.approx(1)


def test_the_range_widens_continuously_beyond_the_largest_sale(valuer, house):
    sizes = np.geomspace(290, 1000, 40)
    houses = house.loc[house.index.repeat(40)].assign(**{"size": sizes, "ground floor": sizes / 2})
    values = valuer.value(houses)
    widths = width(values)
    widening = np.diff(widths)
    assert (widening[:15] > 0).all()
    assert np.abs(widening).max() < 0.3
    assert widths[-1] > 2 * widths[0]
    assert (values["confidence"][sizes > 300] <= MAX_CONFIDENCE_OUTSIDE).all()


def test_a_combination_that_no_sale_has_widens_the_range_with_a_reason(valuer, house):
    size = float(house["size"].iloc[0])
    alike, unlike = (house.assign(**{"ground floor": area}) for area in (size / 2, 10.0 + size))
    values, changed = valuer.value(alike), valuer.value(unlike)
    assert width(changed) > 1.5 * width(values)
    assert changed["confidence"].item() <= MAX_CONFIDENCE_OUTSIDE < values["confidence"].item()
    assert not list(valuer.unlike_sales(alike))
    (problem,) = valuer.unlike_sales(unlike)
    assert (problem.row, problem.code, problem.severity) == (1, "unlike_sales", "warning")
    assert problem.field in {"size", "ground floor"}
    assert "would be usual" in problem.message


def test_an_imputed_field_is_not_reported(valuer, house):
    assert not list(valuer.unlike_sales(house.assign(**{"ground floor": np.nan, "size": np.nan})))


def test_the_largest_sales_are_covered_by_a_model_of_the_others(hamlet):
    order = np.argsort(hamlet.houses["size"].to_numpy(), kind="stable")
    rest, largest = order[:-40], order[-40:]
    model = ValuationModel(hamlet.contract, n_folds=4)
    values = model.fit(hamlet.houses.iloc[rest], hamlet.prices.iloc[rest]).value(
        hamlet.houses.iloc[largest]
    )
    paid = hamlet.prices.iloc[largest].to_numpy()
    assert coverage(paid, values["price_low"], values["price_high"]) >= 0.85
