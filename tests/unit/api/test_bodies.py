"""Request bodies: strict JSON, and errors that name the invalid member and what is expected."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from houseprice.api.bodies import (
    CsvOptions,
    EffectsRequest,
    HouseList,
    ValuationRequest,
    WhatIfRequest,
    parse_request,
)
from houseprice.api.problem_details import ApiError

HOUSE = "an object with the fields of a house"
COUNT, INTERVAL = "a whole number from 0 to 20", "a number from 0.5 to 0.95"


@pytest.mark.parametrize(
    ("model", "body", "field", "hint"),
    [
        (ValuationRequest, [], None, "The body must be an object with «rows»."),
        (ValuationRequest, {}, "rows", "«rows» is missing from the body."),
        (ValuationRequest, {"rows": {}}, "rows", "must be a list of houses."),
        (ValuationRequest, {"rows": [{}, 3]}, "rows", f"Entry 2 of «rows» must be {HOUSE}."),
        (
            ValuationRequest,
            {"rows": [], "explian": 1},
            "explian",
            "not a member of the body. Did you mean «explain»?",
        ),
        (ValuationRequest, {"rows": [], "whatever": 1}, "whatever", "Known are «rows», «explain»"),
        (ValuationRequest, {"rows": [], "explain": "yes"}, "explain", "must be true or false."),
        (ValuationRequest, {"rows": [], "comparables": 21}, "comparables", COUNT),
        (ValuationRequest, {"rows": [], "comparables": 2.5}, "comparables", COUNT),
        (ValuationRequest, {"rows": [], "comparables": True}, "comparables", COUNT),
        (ValuationRequest, {"rows": [], "comparables": 10**400}, "comparables", COUNT),
        (ValuationRequest, {"rows": [], "interval": 10**400}, "interval", INTERVAL),
        (ValuationRequest, {"rows": [], "interval": 0.99}, "interval", INTERVAL),
        (ValuationRequest, {"rows": [], "interval": "0.9"}, "interval", INTERVAL),
        (ValuationRequest, {"rows": [], "interval": None}, "interval", INTERVAL),
        (WhatIfRequest, {"before": {}, "after": []}, "after", HOUSE),
        (WhatIfRequest, {"before": {}}, "after", "is missing"),
        (EffectsRequest, {"field": 3}, "field", "must be the name of a column."),
        (EffectsRequest, {"field": "size", "house": "big"}, "house", HOUSE),
        (HouseList, {}, None, "The body must be a list of houses."),
        (HouseList, [{}, 1], None, f"Entry 2 must be {HOUSE}."),
        (CsvOptions, {"interval": "nan"}, "interval", INTERVAL),
        (CsvOptions, {"intervall": "0.9"}, "intervall", "Did you mean «interval»?"),
    ],
)
def test_an_error_names_the_member_and_what_is_expected(
    model: type[BaseModel], body: object, field: str | None, hint: str
) -> None:
    with pytest.raises(ApiError) as caught:
        parse_request(model, body)
    error = caught.value
    assert (error.status, error.code) == (422, "invalid_request")
    assert error.extras.get("field") == field
    assert hint in error.detail


def test_a_whole_number_may_have_a_decimal_point_and_a_house_any_members() -> None:
    body: dict[str, Any] = {"rows": [{"anything": [1]}], "comparables": 2.0, "interval": 0.5}
    request = parse_request(ValuationRequest, body)
    others = {"explain": False, "evidence": False, "as_of": None, "save": False, "note": ""}
    assert request.model_dump() == body | others
