"""The model card: what a version is, what it is for, how accurate it is and where its limits are.

The sections follow the disclosures that rules for automated valuation require: purpose, effective
date, age and place of the data, excluded sales, fields, errors overall and by price and place,
coverage of the intervals, equity, version and checksums, and how to correct a field (quality
control rule of the United States, 89 FR 64538; IAAO, Standard on Automated Valuation Models, 2018;
European AVM Alliance). A card is written once, with its version, as JSON and as Markdown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from houseprice.formatting import decimal, money, percent, without_links
from houseprice.market.contract import Contract
from houseprice.market.metadata import MarketMetadata
from houseprice.market.sales import Market
from houseprice.model.diagnostics import costly_signs
from houseprice.model.ratio_study import MIN_GROUP_SIZE
from houseprice.model.report import Report, finite_metrics, to_records
from houseprice.model.standards import detailed_label, format_metric
from houseprice.model.valuation import ValuationModel

if TYPE_CHECKING:
    from jinja2 import Template

    from houseprice.model.store.manifest import Manifest

CARD_JSON, CARD_MARKDOWN = "card.json", "card.md"

_TOP = 10
_MAX_GROUPS = 40


@dataclass(frozen=True)
class Card:
    """The card of one version, as data and as Markdown for people.

    ``data`` has version, as_of, purpose, not_for, method, limits, corrections (lists of sentences),
    data, fields, derived, metrics, report (None without one) and importance (the top ten). Shares
    are between 0 and 1, money is in the market's currency.
    """

    data: dict[str, Any]
    markdown: str

    def files(self) -> dict[str, bytes]:
        """Return the content of the card's files by name."""
        data = json.dumps(self.data, indent=2, ensure_ascii=False, allow_nan=False)
        return {CARD_JSON: data.encode(), CARD_MARKDOWN: self.markdown.encode()}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Card:
        """Read a card from the content of its files."""
        return cls(json.loads(files[CARD_JSON]), files[CARD_MARKDOWN].decode())


def card_data(
    model: ValuationModel,
    market: Market,
    metrics: Mapping[str, float],
    importance: pd.DataFrame,
    report: Report | None = None,
) -> dict[str, Any]:
    """Collect the content of the card of a model that has no version yet.

    `metrics`, `importance` (:func:`houseprice.model.importance.permutation_importance`) and
    `report` are measured on held-out sales.
    """
    contract = market.contract
    statements = _statements(contract.market)
    statements["limits"] += costly_signs(model, market)
    return {
        "as_of": contract.market.as_of.isoformat() if contract.market.as_of else None,
        **statements,
        "method": _method(model),
        "members": [
            {"name": name, "weight": round(float(weight), 3)}
            for name, weight in getattr(model, "member_weights_", {}).items()
        ],
        "settings": _settings(model),
        "data": _training_data(model, market),
        "fields": _fields(contract),
        "derived": [part.label for part in contract.derived.values()],
        "metrics": finite_metrics(metrics),
        "report": None if report is None else report.to_dict(),
        "importance": to_records(importance.head(_TOP)),
    }


def build_card(data: Mapping[str, Any], manifest: Manifest) -> Card:
    """Add the version that a manifest describes to the content of a card, and render the card."""
    version = {
        "model_version": manifest.model_version,
        "created_at": manifest.created_at.isoformat(timespec="seconds"),
        "package_version": manifest.package_version,
        "libraries": manifest.libraries,
        "code_sha256": manifest.code_sha256,
        "contract_sha256": manifest.contract_sha256,
        "data_sha256": manifest.data_sha256,
        "signing_key": manifest.signing_key,
        "preliminary": manifest.preliminary,
        "files": {name: entry.sha256 for name, entry in manifest.files.items()},
    }
    complete = json.loads(json.dumps({"version": version, **data}, default=_to_builtin))
    return Card(complete, render_card(complete))


def render_card(data: Mapping[str, Any]) -> str:
    """Render the content of a card as Markdown."""
    return _template().render(data)


# A dollar sign opens a formula where Markdown with formulas is shown, as in the app.
_MARKUP = re.compile(r"([\\`*_\[\]<>$|~])")


def escape_markdown(text: str) -> str:
    """Escape Markdown in a text, without links, and put the text on one line."""
    return _MARKUP.sub(r"\\\1", without_links(" ".join(text.split())))


def format_date(text: str) -> str:
    """Format an ISO date: "2010-07-31" is "31 July 2010"."""
    day = date.fromisoformat(text)
    return f"{day.day} {day:%B %Y}"


def relative_to_price(ratio: float) -> str:
    """Describe a ratio of value to price: 1.027 is "2.7 % above the price"."""
    share = percent(abs(ratio - 1.0))
    if share == percent(0.0):
        return "at the price"
    return f"{share} {'above' if ratio > 1 else 'below'} the price"


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=select_autoescape(["html"]),  # not for Markdown: the filter "md" escapes it
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "count": "{:,}".format,
        "date": format_date,
        "decimal": decimal,
        "detailed_label": detailed_label,
        "format_metric": format_metric,
        "md": escape_markdown,
        "money": money,
        "percent": percent,
        "relative_to_price": relative_to_price,
    }
    environment.globals |= {"min_group_size": MIN_GROUP_SIZE, "max_groups": _MAX_GROUPS}
    return environment.get_template("card.md.j2")


def _statements(market: MarketMetadata) -> dict[str, list[str]]:
    """Sentences by subject, the same for every market."""
    as_of = format_date(market.as_of.isoformat()) if market.as_of else "the time of the sales"
    low, high = (money(price, market.price.symbol) for price in market.price.limits)
    return {
        "purpose": [
            (
                f"The model estimates what a home in {market.title} would have sold for in an "
                f"ordinary sale on {as_of}, with an interval that shows the uncertainty."
            ),
            "It gives owners, buyers and valuers a first or a second opinion.",
        ],
        "not_for": [
            (
                "an appraisal, or a decision on a loan or a tax, without a person who takes "
                "responsibility for it"
            ),
            f"today's prices, or any date other than {as_of}",
            "homes elsewhere, and buildings or land of a kind that is not among the sales",
            "the cost of rebuilding, or any judgement about people",
        ],
        "limits": [
            (
                "The model has not seen the home. What no field above describes (noise, a view, "
                "damage) is not in the value."
            ),
            "It does not follow the market after its date.",
            (
                "A home unlike all sales is flagged where a single field shows it, but not always "
                "where only the combination of fields is rare."
            ),
            "Errors are larger for sales within a family, under pressure or of unfinished homes.",
            f"Values and intervals stay between {low} and {high}.",
        ],
        "corrections": [
            "If a field is wrong, correct it in the form or in your file to get a new value.",
            (
                "If a sale is wrong, the operator of this service can correct the sales file and "
                "train a new version."
            ),
        ],
    }


def _method(model: ValuationModel) -> list[str]:
    """Say what :mod:`houseprice.model.blend` and :mod:`houseprice.model.conformal` do."""
    regressor = getattr(model, "regressor_", None)
    settings = getattr(regressor, "settings_", None)
    kinds = [spec.kind for spec in settings.members] if settings else []
    what = {
        "additive": "An additive model sums the effect of each feature, in percent of the price.",
        "kernel": "A kernel machine compares a home with similar sales.",
        "trees": (
            "Boosted trees learn jumps and combinations of features, and from the nearest sales "
            "what places are worth, where sales have coordinates."
        ),
    }
    index = getattr(regressor, "index_", None)
    moved_by = {"market": "A price index moves", "area": "A price index of each area moves"}
    moved = moved_by.get(settings.index) if settings is not None and index is not None else None
    return [
        (
            "Several models learn from the sales, and their predictions are averaged with weights "
            "that held-out sales decide on."
        ),
        *(text for kind, text in what.items() if kind in kinds),
        *([f"{moved} all prices to one date first."] if moved else []),
        "Unknown fields are estimated from the known ones and widen the interval.",
        "The interval also widens, and the confidence is low, beyond what the sales cover.",
        (
            "The interval comes from errors on held-out sales: where errors on similar homes "
            "are large, it is wide."
        ),
        (
            "Confidence is 100 less half the width of the 68 % interval, in percent of the "
            "value. It is not the probability that the value is right."
        ),
    ]


def _settings(model: ValuationModel) -> list[dict[str, Any]]:
    """Return the settings that were compared, each with its error relative to the chosen one."""
    trials = getattr(model, "trials_", None)
    if trials is None or trials.empty:
        return []
    chosen = trials[trials["chosen"].astype(bool)].set_index("member")["rmsle"]
    error = trials["rmsle"] / trials["member"].map(chosen) - 1.0
    return [
        dict(trial, error=round(float(more), 4))
        for trial, more in zip(trials.to_dict("records"), error, strict=True)
    ]


def _training_data(model: ValuationModel, market: Market) -> dict[str, Any]:
    metadata = market.contract.market
    years = None if market.sold is None else np.floor(market.sold)
    location = market.contract.field_of("location")
    inliers = getattr(getattr(model, "regressor_", None), "inlier_mask_", None)
    return {
        "market": metadata.title,
        "description": metadata.description,
        "source": metadata.source,
        "currency": metadata.price.currency,
        "symbol": metadata.price.symbol,
        "legal_prices": list(metadata.price.limits),
        "sales": len(market.houses),
        "set_aside": len(market.set_aside),
        "first_year": None if years is None else int(np.nanmin(years)),
        "last_year": None if years is None else int(np.nanmax(years)),
        "lowest_price": float(market.prices.min()),
        "median_price": float(market.prices.median()),
        "highest_price": float(market.prices.max()),
        "location_label": location.label if location else None,
        "locations": int(market.houses[location.column].nunique()) if location else None,
        "left_out": None if inliers is None else int(np.sum(~inliers)),
    }


def _fields(contract: Contract) -> list[dict[str, Any]]:
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


def _to_builtin(value: object) -> object:
    """Convert a numpy number for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} can't be stored in a model card")
