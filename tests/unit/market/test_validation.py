"""Raw rows are coerced, filled or rejected, each with a coded problem."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from houseprice.errors import InputError
from houseprice.market.contract import Contract
from houseprice.market.problems import Problem
from houseprice.market.sales import read_rows
from houseprice.market.validation import (
    MAX_SUGGESTIONS,
    MAX_UNKNOWN_FIELDS,
    Domain,
    ValidationResult,
    problem_order,
    suggest_field,
    unknown_fields,
    validate,
    validate_prices,
)
from tests.hamlet import hamlet_sales

HOUSE: dict[str, object] = {
    "key": "x1",
    "size": "120",
    "ground floor": "60",
    "grade": "B",
    "quarter": "N",
    "garden": "y",
    "beds": "3",
    "built": "1990",
    "sold": "2019",
    "month": "2",
    "boiler": "2001",
}


def validated(contract: Contract, **changes: object) -> ValidationResult:
    return validate(pd.DataFrame([HOUSE | changes], dtype=object), contract)


def only(result: ValidationResult) -> Problem:
    assert len(result.problems) == 1, result.problems
    return result.problems[0]


def test_a_valid_house_has_no_problems(contract):
    assert validate(pd.DataFrame([HOUSE]).head(0), contract).houses.shape == (0, 10)
    result = validated(contract)
    assert result.problems == ()
    assert result.valid.tolist() == [True]
    assert result.houses.columns.tolist() == list(contract.columns)
    assert result.houses.loc[0].tolist() == [120, 60, 2, 0, 1, 3, 1990, 2019, 1, 2001]


@pytest.mark.parametrize(
    ("field", "raw", "clean"),
    [
        ("size", 120, 120),
        ("size", "  120 ", 120),
        ("size", "120.5", 120.5),
        ("size", "1.2e2", 120),
        ("beds", "3.0", 3),
        ("beds", 3.0, 3),
        ("month", 2.0, 1),
        ("month", "2.0", 1),
        ("garden", True, 1),
        ("garden", np.True_, 1),
        ("grade", "Grand", 3),
        ("grade", "NA", 0),
        # With a note on what was read.
        ("size", "0,120", 120),
        ("size", "120 sq m", 120),
        ("size", "1'000", 1000),
        ("size", "€120", 120),
        ("grade", " grand", 3),
        ("grade", "fine", 2),
        ("quarter", "NORTH  bank", 0),
    ],
    ids=repr,
)
def test_a_harmless_spelling_is_accepted_and_an_unusual_one_noted(contract, field, raw, clean):
    result = validated(contract, **{field: raw})
    assert result.houses.loc[0, field] == clean
    noted = raw in {"0,120", "120 sq m", "€120", "1'000", " grand", "fine", "NORTH  bank"}
    expected = [(field, "read_as", "note")] if noted else []
    assert [(each.field, each.code, each.severity) for each in result.problems] == expected


@pytest.mark.parametrize(
    ("field", "raw", "code"),
    [
        ("size", "-5", "below_limit"),
        ("size", -5, "below_limit"),
        ("size", "99999", "above_limit"),
        ("size", "big", "not_a_number"),
        ("size", "120 ft", "wrong_unit"),
        ("size", "#REF!", "not_a_number"),
        ("size", True, "not_a_number"),
        ("size", "1,25", "not_a_number"),
        ("size", "12_0", "not_a_number"),
        ("size", "٣", "not_a_number"),
        ("size", [120], "not_a_number"),
        ("size", {"a": 1}, "not_a_number"),
        ("size", "inf", "not_finite"),
        ("size", math.inf, "not_finite"),
        ("size", "1e309", "not_finite"),
        pytest.param("size", 10**5000, "not_finite", id="huge"),
        pytest.param("size", 10**3999, "too_long", id="many digits"),
        pytest.param("size", "9" * 10_000, "too_long", id="long"),
        ("size", "", "required"),
        ("size", None, "required"),
        ("size", math.nan, "required"),
        ("size", "NA", "required"),
        ("beds", "2.5", "not_whole"),
        ("built", "2031", "future_year"),
        ("built", "1066", "below_limit"),
        ("grade", "D", "unknown_level"),
        ("quarter", "Atlantis", "unknown_level"),
        pytest.param("quarter", "x" * 10_000, "unknown_level", id="long level"),
        ("garden", "maybe", "unknown_level"),
    ],
    ids=repr,
)
def test_a_wrong_value_is_an_error_on_its_row_and_field_alone(contract, field, raw, code):
    rows = pd.DataFrame([HOUSE, HOUSE | {field: raw}, HOUSE], dtype=object)
    result = validate(rows, contract)
    problem = only(result)
    assert (problem.row, problem.field, problem.code, problem.severity) == (2, field, code, "error")
    assert result.valid.tolist() == [True, False, True]
    assert contract.fields[field].label in problem.message
    assert problem.expected
    assert len(problem.message) < 200
    assert problem.read is not None
    assert len(problem.read) < 80


def test_a_misspelt_level_gets_a_suggestion(contract):
    problem = only(validated(contract, quarter="Nort bank"))
    assert "Did you mean N (North bank)?" in problem.message


@pytest.mark.parametrize(
    ("changes", "field", "code", "clean"),
    [
        ({"garden": "n", "beds": ""}, "beds", "blank_absent", 0),
        ({"ground floor": ""}, "ground floor", "blank_follows", 60),
        ({"boiler": ""}, "boiler", "blank_follows", 1990),
        ({"month": ""}, "month", "blank_start", 3),
        ({"beds": ""}, "beds", "blank_typical", math.nan),
    ],
)
def test_a_blank_is_filled_as_the_contract_says_or_stays_unknown(
    contract, changes, field, code, clean
):
    result = validated(contract, **changes)
    problem = only(result)
    severity = "warning" if code == "blank_typical" else "note"
    assert (problem.field, problem.code, problem.severity) == (field, code, severity)
    np.testing.assert_array_equal(result.houses.loc[0, field], clean)
    assert ("range is wider" in problem.message) == (code == "blank_typical")


@pytest.mark.parametrize("word", ["unknown", " Unknown ", "NOT KNOWN", "n/k", "?"])
def test_a_fact_that_is_stated_as_unknown_is_no_error_and_filled_like_a_blank(contract, word):
    required = validated(contract, size=word, **{"ground floor": ""})
    assert required.valid.all()
    assert required.houses.loc[0, ["size", "ground floor"]].isna().all()
    assert {problem.reason_code for problem in required.problems} == {
        "blank_typical:size",
        "blank_typical:ground floor",
    }
    for field in ("quarter", "grade", "beds", "month"):
        stated, blank = validated(contract, **{field: word}), validated(contract, **{field: ""})
        pd.testing.assert_frame_equal(stated.houses, blank.houses)
        assert stated.valid.all()
        if not contract.fields[field].required:
            assert stated.problems == blank.problems


def test_an_impossible_value_that_means_unknown_is_filled_like_a_blank(contract):
    result = validated(contract, boiler="2207")
    assert [problem.code for problem in result.problems] == ["beyond_limit", "blank_follows"]
    assert result.valid.all()
    assert result.houses.loc[0, "boiler"] == 1990


def test_problems_are_sorted_by_field_and_severity(contract):
    result = validated(contract, sold="2,015", built="2016", boiler="2207", grade="Z")
    assert [(problem.field, problem.severity) for problem in result.problems] == [
        ("grade", "error"),
        ("sold", "warning"),
        ("sold", "note"),
        ("boiler", "warning"),
        ("boiler", "note"),
    ]


def test_missing_columns_are_listed_in_one_problem(contract):
    rows = pd.DataFrame([{"size": "100", "garden": "n"}] * 2)
    result = validate(rows, contract)
    general = [problem for problem in result.problems if problem.row is None]
    assert [(problem.code, problem.severity) for problem in general] == [
        ("missing_required_columns", "error"),
        ("missing_columns", "warning"),
    ]
    assert "quarter (Quarter)" in general[0].message
    assert "grade (Grade)" in general[1].message
    assert not result.valid.any()
    messages = {problem.message for problem in result.problems if problem.code == "required"}
    assert len(messages) == 1
    assert "there is no column quarter" in messages.pop()
    # A filled value may be the input of another fill: without a garden there are no beds.
    assert result.houses.loc[0, ["beds", "month"]].tolist() == [0, 3]


def test_unknown_columns_are_noted_but_not_the_id_and_the_price(contract):
    problem = only(validated(contract, colour="red", paid="1"))
    assert (problem.code, problem.severity) == ("unknown_columns", "note")
    assert "colour" in problem.message
    assert "paid" not in problem.message


def test_duplicate_column_names_are_an_error(contract):
    rows = pd.DataFrame([["1", "2"]], columns=["size", "size"])
    with pytest.raises(InputError, match="more than one column named size"):
        validate(rows, contract)


@pytest.mark.parametrize(
    ("changes", "code", "field", "fields", "message"),
    [
        (
            {"built": "2020", "boiler": "2020"},
            "sold_before_built",
            "sold",
            ("sold", "built"),
            "Year sold (2019) is before Year built (2020).",
        ),
        (
            {"ground floor": "130"},
            "ground_floor_too_large",
            "size",
            ("size", "ground floor"),
            "Ground floor area (130 sq m) exceeds Floor area (120 sq m).",
        ),
        (
            {"garden": "n"},
            "garden_facts_disagree",
            "garden",
            ("garden", "beds"),
            (
                "There is no garden according to Garden (No), but Garden beds (3 beds) contradicts "
                "this."
            ),
        ),
        (
            {"quarter": "H", "grade": "C", "size": "950"},
            "plain_on_the_hill",
            "quarter",
            ("quarter", "grade", "size"),
            (
                "A large plain house can't be on the hill: Quarter (Hill), Grade (Plain) and "
                "Floor area (950 sq m)."
            ),
        ),
    ],
)
def test_a_contradiction_is_one_warning_about_all_its_fields(
    contract, changes, code, field, fields, message
):
    problem = only(validated(contract, **changes))
    assert (problem.code, problem.severity, problem.field) == (code, "warning", field)
    assert (problem.fields, problem.message) == (fields, message)
    assert problem.expected


def contradictions(contract: Contract, **house: str) -> dict[str, str]:
    columns = {name.lstrip("_"): value for name, value in house.items()}
    problems = validate(pd.DataFrame([columns], dtype=object), contract).problems
    return {problem.code: problem.message for problem in problems if problem.row and problem.fields}


@pytest.mark.parametrize(
    ("house", "codes"),
    [
        ({"TotalBsmtSF": "953", "BsmtFinSF1": "1500"}, {"basement_parts_do_not_add_up"}),
        ({"GrLivArea": "1647", "_2ndFlrSF": "2500"}, {"floors_do_not_add_up"}),
        ({"GrLivArea": "1600", "_1stFlrSF": "800", "_2ndFlrSF": "801"}, set()),
        ({"GrLivArea": "1600", "_1stFlrSF": "800", "_2ndFlrSF": "700"}, {"floors_do_not_add_up"}),
        ({"LotArea": "2000", "_1stFlrSF": "1500", "PoolArea": "600"}, {"house_larger_than_lot"}),
        ({"TotRmsAbvGrd": "4", "BedroomAbvGr": "5"}, {"more_bedrooms_than_rooms"}),
        ({"GarageCars": "0", "GarageArea": "400"}, {"garage_facts_disagree"}),
        ({"GarageFinish": "NA", "GarageCars": "2"}, {"garage_grades_disagree"}),
        ({"BsmtFinType1": "GLQ", "BsmtFinSF1": "0"}, {"finished_area_called_unfinished"}),
        ({"GarageYrBlt": "2009", "YrSold": "2008"}, {"sold_before_garage"}),
        # A part of a basement that does not exist contradicts the basement, not its sum.
        ({"TotalBsmtSF": "0", "BsmtFinSF1": "600"}, {"basement_facts_disagree"}),
        # Filled values contradict as given ones do, but once.
        ({"BsmtQual": "NA", "BsmtFinSF1": "600"}, {"basement_facts_disagree"}),
        (
            {"HouseStyle": "1Story", "GrLivArea": "1500", "_1stFlrSF": "1e3"},
            {"floors_do_not_add_up"},
        ),
        (
            {"HouseStyle": "2Story", "GrLivArea": "1500", "_1stFlrSF": "1500"},
            {"upper_floor_against_style"},
        ),
        ({"YearBuilt": "2008", "YrSold": "2007"}, {"sold_before_built"}),
        ({"YearBuilt": "1990", "GarageYrBlt": "1950"}, {"garage_before_house"}),
        ({"GarageCars": "4", "GarageArea": "100"}, {"garage_too_small"}),
        ({"MSSubClass": "60", "HouseStyle": "1Story"}, {"class_against_style"}),
        ({"OverallQual": "10", "OverallCond": "1"}, {"quality_against_condition"}),
        ({"LotArea": "96000", "LotFrontage": "70"}, {"lot_against_frontage"}),
        # An assumed value causes no contradiction.
        ({"PoolQC": "Gd"}, set()),
        ({"MoSold": "12"}, set()),
        ({"GrLivArea": "1500", "BsmtFinSF1": "600"}, set()),
    ],
)
def test_contradictions_need_only_the_facts_that_contradict(market, house, codes):
    assert contradictions(market.contract, **house).keys() == codes


def test_few_real_sales_contradict_themselves(market):
    rows = {problem.row for problem in market.problems if problem.row and problem.fields}
    assert 10 <= len(rows) <= 25


def test_one_house_and_a_table_have_the_same_contradictions(market):
    rows = read_rows(market.sample_path)
    table = [
        problem
        for problem in validate(rows, market.contract).problems
        if problem.row and problem.fields
    ]
    numbers = sorted({problem.row for problem in table if problem.row})
    single = [
        replace(problem, row=number)
        for number in numbers
        for problem in validate(rows.iloc[[number - 1]], market.contract).problems
        if problem.row and problem.fields
    ]
    assert single == table


def test_values_outside_the_domain_of_the_sales_are_warnings(contract):
    sales = validate(hamlet_sales().astype(str).query("quarter != 'H'"), contract).houses
    rows = pd.DataFrame([HOUSE | {"size": "900", "quarter": "H"}])
    problems = validate(rows, contract, Domain.fit(sales, contract)).problems
    assert [(p.field, p.code) for p in problems] == [
        ("size", "outside_sales"),
        ("quarter", "unseen_level"),
    ]


def test_prices_are_validated_like_any_number(contract):
    prices, problems = validate_prices(pd.Series(["120,000", "", "-1"]), contract)
    assert prices.iloc[0] == 120_000
    assert [(problem.row, problem.code) for problem in problems] == [
        (1, "read_as"),
        (3, "below_limit"),
        (2, "required"),
    ]


@pytest.mark.parametrize("read", [read_rows, pd.read_csv])
def test_the_sample_of_ames_is_valid(market, read):
    domain = Domain.fit(market.houses, market.contract)
    result = validate(read(market.sample_path), market.contract, domain)
    assert result.valid.all()
    assert len(result.houses) == 1459


def test_a_row_is_validated_alike_alone_and_in_a_table(market):
    rows = read_rows(market.sample_path).head(40)
    together = validate(rows, market.contract).houses
    alone = [
        validate(rows.iloc[[number]].reset_index(drop=True), market.contract).houses
        for number in range(len(rows))
    ]
    pd.testing.assert_frame_equal(pd.concat(alone, ignore_index=True), together)


# ------------------------------------------------------------------------------------- JSON objects


def test_fields_the_id_and_the_price_are_known(contract):
    row = {"size": 100, "grade": None, "garden": True, "key": "h1", "paid": 9.5}
    assert unknown_fields([row, {}], contract) == ()


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("sise", "size"),
        ("SIZE", "size"),
        ("Floor Area", "size"),
        ("ground_floor", "ground floor"),
        ("zzzz", None),
        pytest.param("x" * 100_000, None, id="long"),
    ],
)
def test_a_misspelt_field_is_an_error_and_any_other_a_warning(contract, name, column):
    (problem,) = unknown_fields([{}, {name: 100}], contract)
    found = (problem.row, problem.code, problem.severity)
    assert found == ((2, "unknown_field", "error") if column else (2, "unused_field", "warning"))
    assert problem.field == (name if len(name) < 40 else f"{'x' * 40}… (100,000 characters)")
    assert len(problem.message) < 100
    assert problem.expected == column == suggest_field(name, contract)
    assert column is None or contract.fields[column].label in problem.message


@pytest.mark.parametrize(("value", "read"), [([1], "a list"), ({"a": 1}, "an object")])
def test_a_nested_value_is_an_error_of_its_field(contract, value, read):
    problems = unknown_fields([{"grade": value, "key": value}], contract)
    assert [(p.field, p.code, p.read) for p in problems] == [
        ("grade", "nested", read),
        ("key", "nested", read),
    ]


def test_thousands_of_unknown_fields_are_summarized(contract):
    rows = [{f"size{row}-{n}": 1 for n in range(200)} for row in range(20)]
    problems = unknown_fields(rows, contract)
    assert len(problems) == 20 * (MAX_UNKNOWN_FIELDS + 1)
    assert sum(problem.expected is not None for problem in problems) <= MAX_SUGGESTIONS
    assert "180 more" in problems[MAX_UNKNOWN_FIELDS].message
    assert {problem.severity for problem in problems} == {"error"}


def test_many_fields_that_are_not_used_are_warnings_and_summarized(contract):
    problems = unknown_fields([{f"zz{n}zz{n}": [n] for n in range(30)}], contract)
    assert len(problems) == MAX_UNKNOWN_FIELDS + 1
    assert {(problem.code, problem.severity) for problem in problems} == {
        ("unused_field", "warning")
    }
    assert problems[-1].message == "10 more fields of this row are not used."


def test_problems_are_ordered_by_row_field_and_severity():
    ordered = [
        Problem(None, None, "code", "error", "Message."),
        Problem(1, "size", "code", "error", "Message."),
        Problem(1, "age", "code", "error", "Message."),
        Problem(1, "age", "code", "note", "Message."),
        Problem(2, None, "code", "error", "Message."),
    ]
    assert sorted({*ordered}, key=problem_order(["size", "age"])) == ordered


@pytest.mark.parametrize(
    ("full", "half", "read", "severity"),
    [
        ("2.5", None, (2, 1), "note"),
        ("2.5", "unknown", (2, 1), "note"),
        ("2.5", "1", (2, 1), "note"),
        ("2.5", "0", (2, 0), "warning"),
        ("1.75", "", (1, 1), "warning"),
    ],
)
def test_the_half_of_a_count_goes_to_the_field_for_halves(market, full, half, read, severity):
    cells = {"FullBath": full} | ({} if half is None else {"HalfBath": half})
    for n_rows in (1, 60):
        result = validate(pd.DataFrame([cells] * n_rows), market.contract)
        assert tuple(result.houses.loc[0, ["FullBath", "HalfBath"]]) == read
        found = [each for each in result.problems if each.row == 1 and each.field == "FullBath"]
        assert [(each.code, each.severity) for each in found] == [("read_as", severity)]
        assert f"{full} was read as {read[0]}, and half baths as {read[1]}" in found[0].message
