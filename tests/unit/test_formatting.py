"""Numbers and lists as text."""

import math

import pytest

from houseprice.formatting import (
    decimal,
    difference_step,
    display_step,
    duration,
    join_words,
    money,
    percent,
    plural,
    quantity,
    rounding_step,
)


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        (plural, (1, "house"), "1 house"),
        (plural, (0, "house"), "0 houses"),
        (plural, (1_200, "house is", "houses are"), "1,200 houses are"),
        (join_words, ([],), ""),
        (join_words, (["a"],), "a"),
        (join_words, (["a", "b"],), "a and b"),
        (join_words, (["a", "b", "c"], "or"), "a, b or c"),
        (money, (181_234.5, "$"), "$181,234"),
        (money, (181_234.5, "$", 1_000), "$181,000"),
        (money, (-2_500, "€"), "−€2,500"),
        (money, (-0.4, "$", 1), "$0"),
        (money, (2.5, ""), "2.50"),
        (money, (2.5, "£", 0.05), "£2.50"),
        (money, (24, "$"), "$24.0"),
        (money, (119.7, "$", 0.5), "$120"),
        (money, (2_500_000_000, "₫", 20_000_000), "₫2,500,000,000"),
        (money, (0, "$"), "$0"),
        (percent, (0.0512,), "5.1 %"),
        (percent, (-0.0001,), "0.0 %"),
        (percent, (0.5, 0), "50 %"),
        (decimal, (-0.04, 1), "0.0"),
        (decimal, (math.nan, 1), "nan"),
        (quantity, (1_710, "sq ft"), "1,710 sq ft"),
        (quantity, (1, "cars"), "1 car"),
        (quantity, (2.5,), "2.5"),
        (rounding_step, (14500,), 1000),
        (rounding_step, (21000,), 2000),
        (rounding_step, (52000,), 5000),
        (rounding_step, (9999,), 500),
        (rounding_step, (3,), 0.2),
        (rounding_step, (0,), 1),
        (display_step, (181_250, 0.08), 1000),
        (display_step, (2.5, 0.08), 0.02),
        (difference_step, (2.5,), 0.01),
        (difference_step, (2_500_000_000,), 1_000_000),
        (display_step, (181_250, math.nan), 1000),
        (display_step, (0, math.nan), 1),
        (duration, (0,), "1 second"),
        (duration, (1.5,), "2 seconds"),
        (duration, (90,), "90 seconds"),
        (duration, (91,), "2 minutes"),
        (duration, (5400,), "90 minutes"),
        (duration, (7200,), "2 hours"),
    ],
)
def test_values_are_formatted_for_people(function, arguments, expected):
    assert function(*arguments) == expected
