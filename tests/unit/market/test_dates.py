"""Dates in the notations that files of sales have."""

from datetime import date, timedelta

import numpy as np
import pytest

from houseprice.market.dates import date_of, date_order, month_numbers, parse_date


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("960423", date(1996, 4, 23)),
        ("20141013T000000", date(2014, 10, 13)),
        ("20141013", date(2014, 10, 13)),
        ("2014-10-13 00:00:00", date(2014, 10, 13)),
        ("10/13/2014 0:00", date(2014, 10, 13)),
        ("13.10.2014", date(2014, 10, 13)),
        ("31/12/99", date(1999, 12, 31)),
        ("13 Oct 2014", date(2014, 10, 13)),
        ("Oct 13, 2014", date(2014, 10, 13)),
        ("2014-10", date(2014, 10, 15)),
        ("201410", date(2014, 10, 15)),
        ("October 2014", date(2014, 10, 15)),
        ("2013.5", date(2013, 7, 2)),
        ("Wed May 21 00:00:00 EDT 2008", date(2008, 5, 21)),
    ],
)
def test_a_date_is_read_in_any_common_notation(text, day):
    value = parse_date(text, date_order([text]))
    assert value is not None
    assert date_of(value) == day


@pytest.mark.parametrize("text", ["", "abc", "1-2-3", "12345", "2014-13", "31/31/2014", "9999999"])
def test_what_is_no_date_is_none(text):
    assert parse_date(text, date_order([text])) is None


def test_the_order_of_a_column_is_that_of_most_of_its_dates():
    assert date_order(["01/02/2014", "13/02/2014"]) == "dmy"
    assert date_order(["01/02/2014", "02/13/2014"]) == "mdy"
    assert date_order(["960423", "200412"]) == "yymmdd"
    assert date_order(["200412", "201311"]) == "ymd"


def test_each_day_keeps_itself_as_a_decimal_year():
    for year in (2000, 2001):
        for month in range(1, 13):
            for day in (1, 28):
                text = f"{year}-{month:02}-{day:02}"
                assert date_of(parse_date(text)) == date(year, month, day)


def test_each_day_is_in_its_month():
    days = [date(2000, 1, 1) + timedelta(days=number) for number in range(366 + 365 + 365)]
    numbers = month_numbers(np.array([parse_date(day.isoformat()) for day in days]))
    assert numbers.tolist() == [12 * day.year + day.month - 1 for day in days]
