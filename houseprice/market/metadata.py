"""The tables of a contract beside its fields: the market, its price, roles, groups and gate."""

from __future__ import annotations

import math
from datetime import date
from typing import Literal, Self

from pydantic import Field as Setting
from pydantic import FiniteFloat, model_validator

from houseprice.formatting import decimal_places
from houseprice.market.fields import ContractModel, Sign, Text


class Limit(ContractModel):
    """The range of a metric that the gate accepts, ends included."""

    at_least: FiniteFloat | None = None
    at_most: FiniteFloat | None = None

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("a limit needs at_least, at_most or both")
        if self.at_least is not None and not self.contains(self.at_least):
            raise ValueError("at_least is above at_most")
        return self

    def contains(self, value: float) -> bool:
        """Whether a value is inside; NaN is not."""
        low = float("-inf") if self.at_least is None else self.at_least
        return low <= value <= (float("inf") if self.at_most is None else self.at_most)


class Gate(ContractModel):
    """The metrics that a new model must reach before it is released."""

    limits: dict[str, Limit] = Setting(min_length=1)
    """The accepted range by the name of the metric: ``{ at_least = ..., at_most = ... }``."""
    worse_by: float = Setting(default=0.0, ge=0.0, allow_inf_nan=False)
    """How much larger than that of the model in use the mean error may be, as a share of the price,
    at the end of its confidence interval."""


class KaggleFile(ContractModel):
    """A file of a competition."""

    file: str = Setting(pattern=r"^\w[\w.-]*\.csv$")
    """Its name there."""
    rows: int = Setting(ge=1)
    """Its number of rows without the header."""


class KaggleSource(ContractModel):
    """The competition on kaggle.com that ``houseprice fetch`` gets the market's files from."""

    competition: str = Setting(pattern=r"^[a-z0-9][a-z0-9-]*$")
    """The last part of its address."""
    sales: KaggleFile
    """The file of the sales."""
    sample: KaggleFile
    """The file of the sample."""
    most_mb: int = Setting(100, ge=1)
    """A larger download is aborted."""

    @property
    def page(self) -> str:
        """The URL of the competition."""
        return f"https://www.kaggle.com/competitions/{self.competition}"


class Group(ContractModel):
    """A heading of the form with its fields. By default there are two: the house, and the sale."""

    key: str
    """What fields call it."""
    title: Text
    """As people read it."""
    help: Text = ""
    """One sentence under it."""


class Derived(ContractModel):
    """A feature computed from fields, for the model alone."""

    label: Text
    """As people read it."""
    expression: str
    """Such as ``max(sold - built, 0)``; a name that is no identifier is in backticks."""
    sign: Sign | None = None
    """As of a field."""
    scale: Literal["log"] | None = None
    """As of a field."""


_WITHOUT_CENTS = frozenset({
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV",
    "XAF", "XOF", "XPF",
})  # fmt: skip
"""Currencies whose minor unit has no digits (ISO 4217)."""


class Price(ContractModel):
    """The price that was paid. A text alone is its column."""

    column: str
    """The column in the file of the sales."""
    label: Text = "Price"
    """As people read it."""
    currency: str = ""
    """The code of the currency, such as USD."""
    symbol: Text = ""
    """The sign before an amount, such as $."""
    range: tuple[float, float] | None = None
    """The legal limits; by default far beyond nearly all prices."""

    @property
    def limits(self) -> tuple[float, float]:
        """The legal limits, which a contract that was completed from sales always has."""
        return self.range or (0.0, float("inf"))

    @property
    def decimals(self) -> int:
        """The decimal places of prices: none where they have three digits before the point."""
        if self.range is None:
            return 0
        low, high = self.range
        middle = math.sqrt(max(low, high / 400) * high)
        return decimal_places(10.0 ** (math.floor(math.log10(middle)) - 2))

    @property
    def cents(self) -> int:
        """The decimal places of values in a file: none in a currency without cents."""
        return 0 if self.currency.upper() in _WITHOUT_CENTS and not self.decimals else 2


class Roles(ContractModel):
    """The field of each role. All are optional; what lacks its role goes without what needs it."""

    location: str | None = None
    """The area of the market, a field with levels."""
    area: str | None = None
    """The living area. Without it there is no price per area."""
    built: str | None = None
    """The year of building."""
    sale_date: str | None = None
    """The date of the sale. Without a date or a year there is no trend."""
    sale_year: str | None = None
    """The year of the sale, where there is no date."""
    sale_month: str | None = None
    """The month of the sale beside the year: levels in the order of the calendar, or 1 to 12."""
    latitude: str | None = None
    """In degrees, together with the longitude."""
    longitude: str | None = None
    """In degrees."""
    x: str | None = None
    """East, in projected metres, together with y."""
    y: str | None = None
    """North, in projected metres."""

    @property
    def dates(self) -> tuple[str, ...]:
        """The fields of the date of sale; none without dates."""
        return tuple(name for name in (self.sale_date, self.sale_year, self.sale_month) if name)

    @property
    def named(self) -> dict[str, str]:
        """The field of each role that has one."""
        return {role: name for role, name in self.model_dump().items() if name is not None}


class MarketMetadata(ContractModel):
    """What the market is, and its files."""

    name: str = Setting(pattern=r"^[a-z][a-z0-9_]*$")
    """Its name in files of models; by default that of the folder."""
    title: Text
    """The town, as people read it; by default the name in words."""
    description: str = ""
    """What sales these are."""
    source: str = ""
    """Where they come from."""
    sales: str = "sales.csv"
    """The file of the sales, of any kind that can be uploaded."""
    sample: str = "to_value.csv"
    """A file of houses without a price, to try a valuation; it need not exist."""
    as_of: date | None = None
    """The valuation date; by default that of the last sale."""
    id: str = "sale_id"
    """The column of the key of a sale. Sales without one are numbered."""
    property_id: str | None = None
    """The column of the key of a house, which may be sold several times."""
    valid: str | None = None
    """A condition on columns of the sales, such as ``price > 1000``: other sales do not count."""
    price: Price
    """The only thing that a contract must have."""
    roles: Roles = Roles()
    """Which fields have a meaning that the software knows."""
    first_fields: tuple[str, ...] = ()
    """The fields that the form asks first, after the required ones."""
    kaggle: KaggleSource | None = None
    """Where ``houseprice fetch`` gets the files."""


class Dialect(ContractModel):
    """How servers of another protocol call this market's columns and blanks."""

    columns: dict[str, str] = Setting(default_factory=dict)
    """Their name of a column by ours, where they differ."""
    missing: str | None = None
    """What they take for an unknown value; by default null."""
    blanks: tuple[str, ...] = ()
    """Codes of levels that are blanks to them, because their models were trained that way."""
