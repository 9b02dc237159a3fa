"""The behaviour that all backends share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from houseprice.backend.base import NUMBER_COLUMNS, VALUATION_COLUMNS, Backend, Capability
from houseprice.errors import InputError, ModelError, NotSupported
from houseprice.market.sales import Market, read_rows

NUMBERS = [*NUMBER_COLUMNS]


@pytest.fixture
def rows(hamlet: Market) -> pd.DataFrame:
    return read_rows(hamlet.sample_path)


def test_every_row_has_one_valuation_in_order(backend: Backend, rows: pd.DataFrame) -> None:
    result = backend.value(rows)
    assert tuple(result.valuations.columns) == VALUATION_COLUMNS
    assert result.valuations["row"].tolist() == list(range(1, len(rows) + 1))
    assert set(result.valuations["status"]) == {"ok"}


def test_a_price_is_within_its_range(full: Backend, rows: pd.DataFrame) -> None:
    frame = full.value(rows).valuations
    assert (frame["interval"] == 0.9).all()
    assert (frame["price_low"] < frame["predicted_price"]).all()
    assert (frame["predicted_price"] < frame["price_high"]).all()


def test_an_invalid_row_does_not_affect_others(backend: Backend, rows: pd.DataFrame) -> None:
    clean = backend.value(rows).valuations
    faulty = rows.copy()
    faulty.loc[3, "size"] = "-5"
    result = backend.value(faulty)
    invalid, valid = result.valuations.loc[3], result.valuations.drop(index=3)
    assert invalid["status"] == "error"
    assert invalid[NUMBERS].isna().all()
    assert invalid["reason_codes"] == "below_limit:size"
    assert "-5" in invalid["message"]
    assert invalid[["model_version", "valued_at"]].tolist() == ["", ""]
    np.testing.assert_allclose(
        valid[NUMBERS].astype(float), clean.drop(index=3)[NUMBERS].astype(float), rtol=1e-9
    )
    assert [problem.row for problem in result.problems] == [4]


def test_missing_fields_widen_the_range_with_a_warning(full: Backend, rows: pd.DataFrame) -> None:
    sparse = rows.drop(columns=["grade", "built", "boiler", "garden", "beds"])
    whole, thin = full.value(rows).valuations, full.value(sparse).valuations
    assert set(thin["status"]) == {"warning"}
    assert thin["fsd"].mean() > 1.2 * whole["fsd"].mean()
    assert set(thin["reason_codes"]) == {"missing_columns"}


def test_a_single_row_has_the_same_value_as_in_a_table(
    backend: Backend, rows: pd.DataFrame
) -> None:
    together = backend.value(rows).valuations
    alone = backend.value(rows.iloc[[7]].reset_index(drop=True)).valuations
    np.testing.assert_allclose(
        alone.loc[0, NUMBERS].astype(float), together.loc[7, NUMBERS].astype(float), rtol=1e-9
    )


def test_a_wider_interval_contains_a_narrower_one(full: Backend, rows: pd.DataFrame) -> None:
    narrow, wide = (full.value(rows, interval=level).valuations for level in (0.68, 0.8))
    assert (wide["price_low"] < narrow["price_low"]).all()
    assert (wide["price_high"] > narrow["price_high"]).all()


def test_an_invalid_request_is_refused_and_no_rows_give_no_valuations(
    backend: Backend, rows: pd.DataFrame
) -> None:
    with pytest.raises(ModelError, match="50 % to 95 %"):
        backend.value(rows, interval=1.5)
    with pytest.raises(InputError, match="size"):
        backend.value(pd.DataFrame([["1", "2"]], columns=["size", "size"]))
    result = backend.value(rows.head(0))
    assert result.valuations.empty
    assert tuple(result.valuations.columns) == VALUATION_COLUMNS


def test_evidence_has_five_sales_and_up_to_three_drivers(
    full: Backend, hamlet: Market, rows: pd.DataFrame
) -> None:
    plain, detailed = full.value(rows).valuations, full.value(rows, evidence=True).valuations
    assert set(plain["comparables"]) == set(plain["top_drivers"]) == {()}
    for key, ids, drivers in zip(
        rows["key"], detailed["comparables"], detailed["top_drivers"], strict=True
    ):
        assert len(set(ids)) == 5
        assert key not in ids
        assert set(ids) <= set(hamlet.ids)
        assert 1 <= len(drivers) <= 3
    pd.testing.assert_frame_equal(plain[NUMBERS], detailed[NUMBERS])


def value_one(backend: Backend, house: pd.DataFrame) -> float:
    valuations = backend.value(house.reset_index(drop=True)).valuations
    price: float = valuations["predicted_price"].iloc[0]
    return price


def test_an_explanation_adds_up_to_the_value(full: Backend, rows: pd.DataFrame) -> None:
    one = rows.iloc[[3]]
    explanation = full.explain(one)
    value = value_one(full, one)
    total = explanation.base_price + explanation.contributions["contribution"].sum()
    assert round(total, 2) == round(explanation.price, 2) == round(value, 2)
    assert set(explanation.contributions["column"]) <= set(rows.columns)


def test_comparables_are_real_sales_and_not_the_house(
    full: Backend, hamlet: Market, rows: pd.DataFrame
) -> None:
    table = full.comparables(rows.iloc[[3]], k=4)
    assert len(table) == 4
    assert rows["key"].iloc[3] not in set(table["id"])
    paid = hamlet.prices.set_axis(hamlet.ids)
    assert table["price"].tolist() == paid[table["id"]].tolist()
    assert table["similarity"].between(0, 100).all()
    value = value_one(full, rows.iloc[[3]])
    sale_values = full.value(
        read_rows(hamlet.sales_path).set_index("key").loc[table["id"]].reset_index()
    ).valuations
    adjusted = table["price"] * value / sale_values["predicted_price"]
    assert table["adjusted_price"].tolist() == pytest.approx(adjusted.tolist(), abs=0.011)
    assert (table["price"] + table["adjustment"]).tolist() == pytest.approx(
        adjusted.tolist(), abs=0.02
    )


def test_a_what_if_is_the_difference_of_two_values(full: Backend, rows: pd.DataFrame) -> None:
    before, after = rows.iloc[[3]], rows.iloc[[3]].assign(size="290")
    change = full.what_if(before, after)
    difference = value_one(full, after) - value_one(full, before)
    assert change.delta == pytest.approx(difference, abs=0.011)
    assert change.low <= change.delta <= change.high
    assert change.is_clear


def test_the_effect_for_one_house_includes_its_value(full: Backend, rows: pd.DataFrame) -> None:
    one = rows.iloc[[3]]
    curve = full.effect("size", one)
    own = curve[curve["is_own"]].iloc[0]
    value = value_one(full, one)
    assert own["price"] == pytest.approx(value, abs=0.011)
    assert own["low"] == own["high"] == own["price"]
    assert (curve["low"] <= curve["price"]).all()


def test_next_facts_are_the_unknown_fields_that_narrow_the_range_most(
    full: Backend, rows: pd.DataFrame
) -> None:
    one = rows.iloc[[3]].drop(columns=["grade", "built", "boiler", "garden", "beds"])
    facts = full.next_facts(one)
    assert facts.columns.tolist() == ["field", "width_now", "width_then"]
    assert facts["field"].iloc[0] == "grade"
    assert set(facts["field"]) <= {"grade", "built", "boiler", "garden", "beds"}
    assert facts["width_then"].is_monotonic_increasing
    assert (facts["width_then"] < facts["width_now"]).all()
    value = full.value(one.reset_index(drop=True)).valuations.iloc[0]
    width = (value["price_high"] - value["price_low"]) / value["predicted_price"]
    assert facts["width_now"].tolist() == pytest.approx([width] * len(facts))
    pd.testing.assert_frame_equal(full.next_facts(one, k=1), facts.head(1))
    assert full.next_facts(rows.iloc[[3]]).empty


def test_a_house_that_was_just_valued_is_distinguished_from_others(
    full: Backend, rows: pd.DataFrame
) -> None:
    one = rows.iloc[[3]].reset_index(drop=True)
    before = value_one(full, one)
    assert value_one(full, one.assign(size="290")) != before
    assert value_one(full, one) == before
    narrow, wide = (full.value(one, interval=level).valuations.iloc[0] for level in (0.5, 0.95))
    assert narrow["price_high"] < wide["price_high"]
    for _ in range(2):
        assert full.value(one.assign(size="-5")).valuations["status"].tolist() == ["error"]
        with pytest.raises(InputError):
            full.next_facts(one.assign(size="-5"))


def test_a_house_without_known_fields_has_a_value_and_all_that_belongs_to_it(
    full: Backend, rows: pd.DataFrame
) -> None:
    unknown = pd.DataFrame(
        [dict.fromkeys(rows.columns.drop("key"), "unknown")], columns=rows.columns.drop("key")
    )
    value = full.value(unknown, evidence=True).valuations.iloc[0]
    known = full.value(rows.head(1)).valuations.iloc[0]
    assert value["status"] == "warning"
    assert value["fsd"] > 2 * known["fsd"]
    assert len(value["comparables"]) == 5
    explanation = full.explain(unknown)
    total = explanation.base_price + explanation.contributions["contribution"].sum()
    assert round(total, 2) == pytest.approx(round(value["predicted_price"], 2))
    assert len(full.comparables(unknown)) == 5
    assert full.effect("size", unknown)["is_own"].sum() == 1
    change = full.what_if(unknown, unknown.assign(size="290"))
    assert change.delta > 0
    facts = full.next_facts(unknown)
    assert facts["field"].iloc[0] in {"size", "ground floor"}
    assert facts["width_then"].iloc[0] < 0.8 * facts["width_now"].iloc[0]


def test_an_invalid_house_has_no_explanation(full: Backend, rows: pd.DataFrame) -> None:
    wrong = rows.iloc[[3]].assign(size="-5")
    with pytest.raises(InputError, match="Floor area"):
        full.explain(wrong)
    with pytest.raises(InputError, match="one house at a time"):
        full.comparables(rows)


def test_the_card_names_the_model_and_its_market(full: Backend) -> None:
    card = full.card()
    assert full.info().model_version in card.markdown
    assert "Hamlet" in card.markdown


def test_progress_increases_to_one(backend: Backend, rows: pd.DataFrame) -> None:
    shares: list[float] = []
    backend.value(rows, progress=lambda share, _: shares.append(share))
    assert shares
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_the_info_describes_the_model(full: Backend, hamlet: Market) -> None:
    info = full.info()
    assert info.market_title == "Hamlet"
    assert info.n_sales == len(hamlet.prices)
    assert info.as_of == hamlet.contract.market.as_of
    assert info.trained_at <= datetime.now(UTC)
    assert 0 < info.metrics["median_ape"] < 0.12
    assert info.model_version.startswith("hamlet-")


def test_importance_ranks_all_fields(full: Backend, hamlet: Market) -> None:
    importance = full.importance()
    assert set(importance["column"]) == set(hamlet.contract.columns)
    assert importance["column"].iloc[0] == "size"
    assert importance["importance_pct"].is_monotonic_decreasing


def test_a_returned_frame_can_be_changed_safely(full: Backend) -> None:
    importance, effect = full.importance(), full.effect("size")
    importance["importance_pct"] = 0.0
    effect["price"] = 0.0
    assert full.importance()["importance_pct"].max() > 0
    assert (full.effect("size")["price"] > 0).all()


CALLS: dict[Capability, Callable[[Backend, pd.DataFrame], object]] = {
    "evidence": lambda backend, one: backend.value(one, evidence=True),
    "explain": lambda backend, one: backend.explain(one),
    "comparables": lambda backend, one: backend.comparables(one),
    "what_if": lambda backend, one: backend.what_if(one, one),
    "effect": lambda backend, one: backend.effect("size", one),
    "next_facts": lambda backend, one: backend.next_facts(one),
    "importance": lambda backend, one: backend.importance(),
    "card": lambda backend, one: backend.card(),
    "study": lambda backend, one: backend.study(),
}


@pytest.mark.parametrize("capability", CALLS)
def test_exactly_the_declared_capabilities_are_supported(
    backend: Backend, rows: pd.DataFrame, capability: Capability
) -> None:
    if capability in backend.info().capabilities:
        assert CALLS[capability](backend, rows.head(1)) is not None
    else:
        with pytest.raises(NotSupported) as refused:
            CALLS[capability](backend, rows.head(1))
        assert refused.value.reason == "not_offered"


def test_ranges_are_given_exactly_if_declared(backend: Backend, rows: pd.DataFrame) -> None:
    frame = backend.value(rows).valuations
    with_range = "range" in backend.info().capabilities
    for name in NUMBERS[1:]:
        assert frame[name].notna().all() == with_range
        assert frame[name].notna().any() == with_range
