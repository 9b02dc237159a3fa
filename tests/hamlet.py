"""A second, small and synthetic market, which proves that the code depends on no market."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

__all__ = ["CONTRACT", "hamlet_sales", "write_hamlet"]

CONTRACT = """
[market]
name = "hamlet"
title = "Hamlet"
description = "Made-up sales."
source = "A seeded random generator."
sales = "sales.csv"
sample = "to_value.csv"
as_of = 2020-12-31
id = "key"

[market.price]
column = "paid"
label = "Price paid"
currency = "EUR"
symbol = "€"
range = [1_000, 5_000_000]

[market.roles]
location = "quarter"
area = "size"
built = "built"
sale_year = "sold"
sale_month = "month"

[[groups]]
key = "house"
title = "The house"

[fields.size]
label = "Floor area"
help = "All floors."
group = "house"
kind = "number"
unit = "sq m"
range = [10, 1_000]
sign = "+"
scale = "log"
required = true

[fields."ground floor"]
label = "Ground floor area"
help = "The ground floor alone."
group = "house"
kind = "number"
unit = "sq m"
range = [0, 1_000]
follows = "size * 0.5"

[fields.grade]
label = "Grade"
help = "From worst to best."
group = "house"
kind = "ordinal"
sign = "+"
levels = [
  { code = "NA", label = "Not graded" },
  { code = "C", label = "Plain" },
  { code = "B", label = "Good", aliases = ["Fine"] },
  { code = "A", label = "Grand" },
]

[fields.quarter]
label = "Quarter"
help = "Where it is located."
group = "house"
kind = "nominal"
required = true
levels = [
  { code = "N", label = "North bank" },
  { code = "S", label = "South bank" },
  { code = "H", label = "Hill" },
]

[fields.garden]
label = "Garden"
help = "Whether it has one."
group = "house"
kind = "flag"
sign = "+"
levels = [{ code = "n", label = "No" }, { code = "y", label = "Yes" }]

[fields.beds]
label = "Garden beds"
help = "Beds in the garden."
group = "house"
kind = "count"
unit = "beds"
range = [0, 20]
absent_when = "garden == 'n'"
typical_by = "quarter"

[fields.built]
label = "Year built"
help = "When it was built."
group = "house"
kind = "year"
range = [1700, 2040]
sign = "+"

[fields.sold]
label = "Year sold"
help = "When it was sold."
group = "house"
kind = "year"
range = [2015, 2020]
start = 2020
at_sale = true

[fields.month]
label = "Quarter of the year sold"
help = "When in the year."
group = "house"
kind = "nominal"
start = "4"
at_sale = true
levels = [
  { code = "1", label = "Winter" },
  { code = "2", label = "Spring" },
  { code = "3", label = "Summer" },
  { code = "4", label = "Autumn" },
]

[fields.boiler]
label = "Year of the boiler"
help = "When the boiler was put in."
group = "house"
kind = "year"
range = [1900, 2020]
follows = "built"
beyond = "unknown"

[derived.age]
label = "Age when sold"
expression = "max(sold - built, 0)"
sign = "-"

[[components]]
code = "garden_facts_disagree"
label = "garden"
fields = ["garden"]
extras = ["beds"]
absent = { garden = ["n"] }

[[orders]]
code = "sold_before_built"
earlier = "built"
later = "sold"

[[wholes]]
code = "ground_floor_too_large"
whole = "size"
parts = ["ground floor"]
complete = false

[[rules]]
code = "plain_on_the_hill"
check = "quarter != 'H' or grade != 'C' or size < 900"
fields = ["quarter", "grade", "size"]
message = "A large plain house can't be on the hill."
expected = "another grade or quarter"
"""


def hamlet_sales(n_sales: int = 240, seed: int = 7) -> pd.DataFrame:
    """Draw sales whose price is known to rise with size, grade, garden and year built."""
    draw = np.random.default_rng(seed)
    size = draw.integers(40, 300, n_sales)
    grade = draw.integers(0, 4, n_sales)
    quarter = draw.integers(0, 3, n_sales)
    garden = draw.integers(0, 2, n_sales)
    built = draw.integers(1880, 2015, n_sales)
    log_price = (
        8
        + 0.8 * np.log(size)
        + 0.12 * grade
        + 0.2 * quarter
        + 0.05 * garden
        + 0.002 * (built - 1880)
        + draw.normal(0, 0.08, n_sales)
    )
    return pd.DataFrame(
        {
            "key": [f"h{number}" for number in range(n_sales)],
            "size": size,
            "ground floor": size // 2,
            "grade": np.array(["NA", "C", "B", "A"])[grade],
            "quarter": np.array(["N", "S", "H"])[quarter],
            "garden": np.array(["n", "y"])[garden],
            "beds": np.where(garden, draw.integers(1, 6, n_sales), 0),
            "built": built,
            "sold": draw.integers(2015, 2021, n_sales),
            "month": draw.integers(1, 5, n_sales),
            "boiler": np.minimum(built + 20, 2020),
            "paid": np.exp(log_price).round(-2).astype(int),
        }
    )


def write_hamlet(folder: Path, contract: str = CONTRACT, n_sales: int = 240) -> Path:
    """Write the folder of the market, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "market.toml").write_text(contract, encoding="utf-8")
    sales = hamlet_sales(n_sales)
    sales.to_csv(folder / "sales.csv", index=False)
    sales.drop(columns="paid").head(20).to_csv(folder / "to_value.csv", index=False)
    return folder
