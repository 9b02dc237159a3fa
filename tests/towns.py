"""Markets with any of the roles of a contract, which is what a file of sales of a town may have."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

__all__ = ["ALL_ROLES", "ROLE_SETS", "town_sales", "write_town"]

ALL_ROLES = ("sale_date", "location", "latitude", "longitude", "area", "built")
ROLE_SETS = (
    (),
    ("sale_date",),
    ("sale_year",),
    ("sale_year", "sale_month"),
    ("location",),
    ("latitude", "longitude"),
    ("x", "y"),
    ("area",),
    ("built",),
    ("location", "area"),
    ALL_ROLES,
)
"""Each role alone or with what it needs, none, and all."""

KINDS = {
    "sale_date": "date",
    "sale_year": "year",
    "sale_month": "count",
    "location": "nominal",
    "latitude": "number",
    "longitude": "number",
    "x": "number",
    "y": "number",
    "area": "number",
    "built": "year",
}


def town_sales(n_sales: int = 160, seed: int = 3) -> pd.DataFrame:
    """Draw sales with a column for each role, and two without one."""
    draw = np.random.default_rng(seed)
    area, built = draw.integers(50, 250, n_sales), draw.integers(1900, 2012, n_sales)
    place, rooms = draw.integers(0, 4, n_sales), draw.integers(1, 8, n_sales)
    year, month, day = (draw.integers(*ends, n_sales) for ends in ((2012, 2016), (1, 13), (1, 29)))
    log_price = 11 + 0.7 * np.log(area / 100) + 0.003 * (built - 1950) + 0.1 * place
    log_price += 0.03 * rooms + 0.04 * (year - 2012) + draw.normal(0, 0.1, n_sales)
    parts = zip(year, month, day, strict=True)
    return pd.DataFrame(
        {
            "price": np.exp(log_price).round(-2).astype(int),
            "rooms": rooms,
            "garden": np.array(["no", "yes"])[draw.integers(0, 2, n_sales)],
            "sale_date": [f"{y}-{m:02}-{d:02}" for y, m, d in parts],
            "sale_year": year,
            "sale_month": month,
            "location": np.array(["Nord", "Süd", "West", "Mitte"])[place],
            "latitude": 48 + place / 10 + draw.uniform(0, 0.1, n_sales).round(4),
            "longitude": 11 + place / 10 + draw.uniform(0, 0.1, n_sales).round(4),
            "x": 480_000 + 1000 * place + draw.integers(0, 1000, n_sales),
            "y": 195_000 + 1000 * place + draw.integers(0, 1000, n_sales),
            "area": area,
            "built": built,
        }
    )


def write_town(folder: Path, roles: Collection[str], sales: pd.DataFrame | None = None) -> Path:
    """Write the folder of a market that has these roles and no other, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["[market]", 'price = "price"', "[market.roles]"]
    lines += [f'{role} = "{role}"' for role in roles]
    lines += ["[fields]", 'rooms = { kind = "count", sign = "+" }', 'garden = { kind = "flag" }']
    for role in roles:
        at_sale = ", at_sale = true" if role.startswith("sale_") else ""
        lines.append(f'{role} = {{ kind = "{KINDS[role]}"{at_sale} }}')
    (folder / "market.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = town_sales() if sales is None else sales
    rows[["price", "rooms", "garden", *roles]].to_csv(folder / "sales.csv", index=False)
    return folder
