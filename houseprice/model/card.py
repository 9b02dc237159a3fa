"""The model card: what a version is, what it is for, how good it is and what it can't do.

Its parts follow the disclosures that rules for automated valuation ask for: purpose, effective
date, age and place of the data, sales left out, fields, errors overall and by price and place,
coverage of the ranges, fairness, version and hashes, and how to have a fact corrected (the quality
control rule of the United States, 89 FR 64538; IAAO, Standard on Automated Valuation Models, 2018;
European AVM Alliance). A card is written once, with its version, for programs (JSON) and for people
(Markdown, :mod:`houseprice.model.card`).

Plain facts written as Markdown that shows them as they are.

What a model card states in words: purpose, method and limits, the same for every market.

What is said of the method describes what :mod:`houseprice.model.blend` and
:mod:`houseprice.model.conformal` do: whoever changes those changes the words here.

What was measured of a model, as sections of its card in Markdown.

The model card for people, as Markdown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from houseprice.market.contract import Contract, MarketMetadata
from houseprice.market.sales import Market
from houseprice.model.ratio_study import MIN_GROUP_SIZE
from houseprice.model.report import Report, finite_metrics
from houseprice.model.standards import detailed_label, format_metric
from houseprice.model.valuation import ValuationModel

if TYPE_CHECKING:
    from houseprice.model.store.manifest import Manifest

__all__ = [
    "CARD_JSON",
    "CARD_MARKDOWN",
    "Card",
    "above",
    "accuracy",
    "build_card",
    "card_data",
    "day",
    "drivers",
    "fairness",
    "fixed",
    "money",
    "percent",
    "ranges",
    "render_card",
    "safe",
    "statements",
    "table",
]

# A dollar sign would open a formula where Markdown with formulas is shown, as in the app.
_MARKS = re.compile(r"([\\`*_\[\]<>$|~])")


def safe(text: str) -> str:
    """Keep a text from being read as Markdown, and on one line."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def money(symbol: str, value: float) -> str:
    """Write an amount with its currency before it, without digits after the point."""
    return f"{safe(symbol)}{value:,.0f}"


def percent(share: float) -> str:
    """Write a share as a percentage: 0.0512 is "5.1 %"."""
    return f"{fixed(100 * share, 1)} %"


def fixed(value: float, digits: int) -> str:
    """Write a number with so many digits, and no minus before nothing but zeros."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def day(text: str) -> str:
    """Write a day of the form 2010-07-31 in words: "31 July 2010"."""
    when = date.fromisoformat(text)
    return f"{when.day} {when:%B %Y}"


def above(ratio: float) -> str:
    """Say how a value lies to a price: 1.027 is "2.7 % above the price"."""
    share = percent(abs(ratio - 1.0))
    if share == percent(0.0):
        return "at the price"
    return f"{share} {'above' if ratio > 1 else 'below'} the price"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay cells out as a table, the first column to the left, figures to the right."""
    sides = [":--", *["--:"] * (len(headers) - 1)]
    lines = [[safe(header) for header in headers], sides, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def statements(market: MarketMetadata) -> dict[str, list[str]]:
    """Return plain sentences by subject: purpose, not_for, method, limits, corrections."""
    as_of = day(market.as_of.isoformat())
    low, high = (f"{market.price.symbol}{price:,.0f}" for price in market.price.range)
    return {
        "purpose": [
            (
                f"It estimates what a home in {market.title} would have sold for in an "
                f"ordinary sale on {as_of}, with a range that says how sure this is."
            ),
            "It gives owners, buyers and valuers a first opinion, or a second.",
        ],
        "not_for": [
            "an appraisal, or a decision on a loan or a tax, without a person who answers for it",
            f"today's prices, or any date other than {as_of}",
            "homes elsewhere, and buildings or land of a kind that is not among the sales",
            "the cost of rebuilding, or any judgement about people",
        ],
        "method": [
            "Two models learn from the sales, and their answers are averaged.",
            "One adds up what each fact is worth by itself, in percent of the price.",
            "The other compares a home with sales that are like it.",
            "What is not told about a home is taken as typical, and widens its range.",
            (
                "The range comes from mistakes on sales that the models had not seen: where "
                "they were far off on homes like this one, the range is wide."
            ),
            (
                "Confidence is 100 less half the width of the 68 % range, in percent of the "
                "value. It is not the chance of being right."
            ),
        ],
        "limits": [
            (
                "It has not seen the home. What no fact above says (noise, a view, damage) is "
                "not in the value."
            ),
            "It follows no market after its date.",
            (
                "A home unlike all sales is told apart where a single fact shows it, but not "
                "always where only the mix of facts is rare."
            ),
            (
                "Sales within a family, under pressure or of unfinished homes stray further "
                "than other sales."
            ),
            f"Values and ranges stay between {low} and {high}.",
        ],
        "corrections": [
            "A fact is wrong? Change it in the form or in your file, and the value is made anew.",
            (
                "A sale is wrong? Whoever runs this service can correct the file of sales and "
                "train a new version."
            ),
        ],
    }


_SHARES = ("median_ape", "mean_ape", "within_5", "within_10", "within_20", "bias")


def accuracy(facts: dict[str, Any]) -> str:
    """Say how close values come to the prices of sales held out."""
    metrics = facts["metrics"]
    rows = [[detailed_label(name), percent(metrics[name])] for name in _SHARES if name in metrics]
    if "mae" in metrics:
        rows.append(["Average error, in money", money(facts["data"]["symbol"], metrics["mae"])])
    if "rmsle" in metrics:
        rows.append([detailed_label("rmsle"), fixed(metrics["rmsle"], 3)])
    if not rows:
        return ""
    return f"""
## How close it comes

Each sale was valued by a model that had not seen it. Every sale got a value (hit rate 100 %).

{table(["", "sales held out"], rows)}
"""


def ranges(facts: dict[str, Any]) -> str:
    """Say how often ranges held the price: in all, by price, by place and by confidence."""
    report, metrics = facts["report"], facts["metrics"]
    if report is None:
        return ""
    levels = [
        [f"{level} %", percent(metrics[f"coverage_{level}"]), percent(metrics[f"width_{level}"])]
        for level in (68, 80, 90)
    ]
    bands = [
        [
            f"{band['band']}, from {band['lower']:.0f}",
            *(percent(band[name]) for name in ("share", "median_ape", "within_10", "coverage_90")),
        ]
        for band in report["confidence_bands"]
    ]
    told = ["share of values", "half are off by at most", "within 10 %", "90 % range held"]
    return f"""
## How honest its ranges are

{table(["range", "held the price", "average width, of the value"], levels)}

{table(["confidence", *told], bands)}

By price:

{_groups("price", report["ranges_by_price"])}

{_places(facts["data"]["location_label"], report["ranges_by_location"])}
"""


def fairness(facts: dict[str, Any]) -> str:
    """Say how cheap and dear homes are valued beside each other."""
    report = facts["report"]
    if report is None:
        return ""
    rows = []
    for figure in report["ratio_study"]:
        name = figure["figure"]
        words = detailed_label(name)
        least, most = (
            format_metric(name, figure[f"accepted_{end}"], "") for end in ("low", "high")
        )
        row = [words, "too few sales", "", f"{least} to {most}"]
        if figure["value"] is not None:
            value, low, high = (
                format_metric(name, figure[end], "") for end in ("value", "low", "high")
            )
            reached = "reached" if figure["met"] else "**not reached**"
            row = [words, value, f"{low} to {high}", f"{least} to {most}, {reached}"]
        rows.append(row)
    levels = [each for each in report["ratio_study_by_price"] if each["figure"] == "median_ratio"]
    cheap, dear = (f"({safe(x['group'])}) is {above(x['value'])}" for x in (levels[0], levels[-1]))
    return f"""
## How fair it is to cheap and dear homes

The median value of the cheapest fifth of the sales {cheap}; that of the dearest fifth {dear}.
Some of this is in the nature of any estimate: a sale is among the cheapest partly because it went
for less than such homes do.

The assessors' ratio study of the same values, with 90 % intervals. What is good is reached where
the interval touches it.

{table(["", "value", "interval", "good"], rows)}
"""


def drivers(facts: dict[str, Any]) -> str:
    """Say which facts matter most."""
    symbol = facts["data"]["symbol"]
    rows = [
        [
            safe(row["label"]),
            f"{fixed(row['importance_pct'], 2)} points",
            money(symbol, row["importance_money"]),
        ]
        for row in facts["importance"]
        if row.get("importance_pct") is not None and row.get("importance_money") is not None
    ]
    if not rows:
        return ""
    return f"""
## What matters most

How much the average error, in percent of the price and in money, rises when a fact is dealt out at
random among homes that the model had not seen.

{table(["fact", "error rises by", "in money"], rows)}
"""


def _places(label: str, groups: Sequence[dict[str, Any]]) -> str:
    if not groups:
        return ""
    worst, label = groups[0], label.lower()
    held = f"{percent(worst['coverage_90'])} of {worst['sales']:,} sales"
    return f"""
By {safe(label)}, those with {MIN_GROUP_SIZE} sales or more. The range held least often in
{safe(worst["group"])}: {held}.

{_groups(label, groups)}
"""


def _groups(first: str, groups: Sequence[dict[str, Any]]) -> str:
    shares = ("coverage_90", "width_90", "median_ape")
    headers = [first, "sales", "90 % range held", "average width", "half are off by at most"]
    return table(
        headers,
        (
            [safe(group["group"]), f"{group['sales']:,}", *(percent(group[x]) for x in shares)]
            for group in groups
        ),
    )


def render_card(facts: dict[str, Any]) -> str:
    """Write the card.

    Parameters
    ----------
    data : dict
        The complete facts of :class:`houseprice.model.card.Card`.
    """
    parts = [
        _purpose(facts),
        _data(facts["data"]),
        _fields(facts),
        _method(facts),
        accuracy(facts),
        ranges(facts),
        fairness(facts),
        drivers(facts),
        _limits(facts),
        _version(facts["version"]),
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _purpose(facts: dict[str, Any]) -> str:
    data, version, as_of = facts["data"], facts["version"], day(facts["as_of"])
    return f"""
# Model card: {safe(data["market"])}

**Values stand for {as_of}.** Version {safe(version["model_version"])}, made on
{day(version["created_at"][:10])} from {data["sales"]:,} sales of {data["first_year"]} to
{data["last_year"]}.

## What it is for

{_sentences(facts["purpose"])}

It is not for:

{_list(facts["not_for"])}
"""


def _data(data: dict[str, Any]) -> str:
    low, middle, high = (
        money(data["symbol"], data[name])
        for name in ("lowest_price", "median_price", "highest_price")
    )
    left_out = "" if data["left_out"] is None else _left_out(data["left_out"])
    return f"""
## What it learned from

{safe(data["description"])} Source: {safe(data["source"])}.

- {data["sales"]:,} sales of {data["first_year"]} to {data["last_year"]}, in {data["locations"]}
  areas ({safe(data["location_label"])}).
- Prices from {low} to {high}; half are below {middle}.
{left_out}
"""


def _left_out(count: int) -> str:
    if count == 0:
        return "- No sale is left out."
    sales = "1 of these sales is" if count == 1 else f"{count:,} of these sales are"
    return f"""- {sales} left out of the fit: the price is far from anything that such homes go
  for. They still count in every figure below."""


def _fields(facts: dict[str, Any]) -> str:
    fields = facts["fields"]
    groups = {
        group: ", ".join(safe(field["label"]) for field in fields if field["group"] == group)
        for group in dict.fromkeys(field["group"] for field in fields)
    }
    listed = "\n".join(f"- **{safe(group)}:** {labels}." for group, labels in groups.items())
    required = ", ".join(safe(field["label"]) for field in fields if field["required"])
    must = f"Must be known: {required}. The rest may be blank." if required else ""
    return f"""
## What it looks at

{len(fields)} facts about a home and its sale, and nothing else:

{listed}

{must} From these, {len(facts["derived"])} more are computed: sums, ages, ratios and the like.
"""


def _method(facts: dict[str, Any]) -> str:
    return f"""
## How it works

{_sentences(facts["method"])}
"""


def _limits(facts: dict[str, Any]) -> str:
    return f"""
## What it can't do

{_list(facts["limits"])}

{_sentences(facts["corrections"])}
"""


def _sentences(texts: Sequence[str]) -> str:
    return " ".join(map(safe, texts))


def _list(texts: Sequence[str]) -> str:
    return "\n".join(f"- {safe(text)}" for text in texts)


def _version(version: dict[str, Any]) -> str:
    rows = {
        "Model version": version["model_version"],
        "Made": version["created_at"],
        **({"Signed with key": version["signing_key"]} if version["signing_key"] else {}),
        "houseprice": version["package_version"],
        **version["libraries"],
        "Code (SHA-256)": version["code_sha256"],
        "Contract (SHA-256)": version["contract_sha256"],
        "Sales (SHA-256)": version["data_sha256"],
        **{f"{name} (SHA-256)": checksum for name, checksum in version["files"].items()},
    }
    facts = table(["what", "which"], ([safe(name), f"`{value}`"] for name, value in rows.items()))
    return f"## Version\n\n{facts}"


CARD_JSON, CARD_MARKDOWN = "card.json", "card.md"

_TOP = 10


@dataclass(frozen=True)
class Card:
    """The card of one version.

    Attributes
    ----------
    data : dict
        version, as_of, purpose, not_for, method, limits, corrections (sentences), data, fields,
        derived, metrics, report (None if none was made), importance (the top ten). Shares are
        between 0 and 1, money is in the market's currency.
    markdown : str
        The same in plain sentences and tables, for an owner or a valuer.
    """

    data: dict[str, Any]
    markdown: str

    def files(self) -> dict[str, bytes]:
        """Return the content of the card's files by name."""
        facts = json.dumps(self.data, indent=2, ensure_ascii=False, allow_nan=False)
        return {CARD_JSON: facts.encode(), CARD_MARKDOWN: self.markdown.encode()}

    @classmethod
    def read(cls, files: Mapping[str, bytes]) -> Card:
        """Read a card from the content of its files."""
        return cls(json.loads(files[CARD_JSON]), files[CARD_MARKDOWN].decode())


def card_data(
    model: ValuationModel,
    market: Market,
    metrics: Mapping[str, float],
    importance: pd.DataFrame,
    report: Report | None = None,
) -> dict[str, Any]:
    """Collect what is known of a model before it has a version.

    Parameters
    ----------
    model : ValuationModel
    market : Market
        What it learned from.
    metrics : mapping of str to float
        On sales held out.
    importance : DataFrame
        As :func:`houseprice.model.importance.permutation_importance` gives it.
    report : Report, optional
        On sales held out.
    """
    contract, top = market.contract, importance.head(_TOP)
    return {
        "as_of": contract.market.as_of.isoformat(),
        **statements(contract.market),
        "data": _card_data(model, market),
        "fields": _card_fields(contract),
        "derived": [part.label for part in contract.derived.values()],
        "metrics": finite_metrics(metrics),
        "report": None if report is None else report.to_dict(),
        "importance": top.astype(object).where(top.notna(), None).to_dict("records"),
    }


def build_card(facts: Mapping[str, Any], manifest: Manifest) -> Card:
    """Give the facts of a model the version that a manifest describes, and write the card."""
    version = {
        "model_version": manifest.model_version,
        "created_at": manifest.created_at.isoformat(timespec="seconds"),
        "package_version": manifest.package_version,
        "libraries": manifest.libraries,
        "code_sha256": manifest.code_sha256,
        "contract_sha256": manifest.contract_sha256,
        "data_sha256": manifest.data_sha256,
        "signing_key": manifest.signing_key,
        "files": {name: facts.sha256 for name, facts in manifest.files.items()},
    }
    complete = json.loads(json.dumps({"version": version, **facts}, default=_plain))
    return Card(complete, render_card(complete))


def _card_data(model: ValuationModel, market: Market) -> dict[str, Any]:
    summary = market.contract.market
    years = market.houses[summary.roles.sale_year]
    places = market.houses[summary.roles.location]
    location = market.contract.fields[summary.roles.location]
    kept = getattr(getattr(model, "regressor_", None), "kept_", None)
    return {
        "market": summary.title,
        "description": summary.description,
        "source": summary.source,
        "currency": summary.price.currency,
        "symbol": summary.price.symbol,
        "legal_prices": list(summary.price.range),
        "sales": len(market.houses),
        "first_year": int(years.min()),
        "last_year": int(years.max()),
        "lowest_price": float(market.prices.min()),
        "median_price": float(market.prices.median()),
        "highest_price": float(market.prices.max()),
        "location_label": location.label,
        "locations": int(places.nunique()),
        "left_out": None if kept is None else int(np.sum(~kept)),
    }


def _card_fields(contract: Contract) -> list[dict[str, Any]]:
    titles = {group.key: group.title for group in contract.groups}
    return [
        {
            "column": column,
            "label": field.label,
            "group": titles[field.group],
            "required": field.required,
            "at_sale": field.at_sale,
        }
        for column, field in contract.fields.items()
    ]


def _plain(value: object) -> object:
    """Turn a number of numpy into one that JSON knows."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} can't stand in a model card")
