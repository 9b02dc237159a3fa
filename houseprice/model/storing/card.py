"""The model card: what a version is, what it is for, how good it is and what it can't do.

Its parts follow the disclosures that rules for automated valuation ask for: purpose, effective
date, age and place of the data, sales left out, fields, errors overall and by price and place,
coverage of the ranges, fairness, version and hashes, and how to have a fact corrected (the quality
control rule of the United States, 89 FR 64538; IAAO, Standard on Automated Valuation Models, 2018;
European AVM Alliance). A card is written once, with its version, for programs (JSON) and for people
(Markdown, :mod:`houseprice.model.storing.card_text`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from houseprice.market.contract import Contract
from houseprice.market.sales import Market
from houseprice.model.measuring.report import Report, numbers
from houseprice.model.storing.card_statements import statements
from houseprice.model.storing.card_text import card_text
from houseprice.model.storing.manifest import Manifest
from houseprice.model.valuation import ValuationModel

__all__ = ["CARD_FACTS", "CARD_TEXT", "Card", "card_facts", "finished_card"]

CARD_FACTS, CARD_TEXT = "card.json", "card.md"

_TOP = 10


@dataclass(frozen=True)
class Card:
    """The card of one version.

    Attributes
    ----------
    facts : dict
        version, as_of, purpose, not_for, method, limits, corrections (sentences), data, fields,
        derived, metrics, report (None if none was made), importance (the top ten). Shares are
        between 0 and 1, money is in the market's currency.
    markdown : str
        The same in plain sentences and tables, for an owner or a valuer.
    """

    facts: dict[str, Any]
    markdown: str

    def files(self) -> dict[str, bytes]:
        """Return the content of the card's files by name."""
        facts = json.dumps(self.facts, indent=2, ensure_ascii=False, allow_nan=False)
        return {CARD_FACTS: facts.encode(), CARD_TEXT: self.markdown.encode()}

    @classmethod
    def read(cls, files: Mapping[str, bytes]) -> Card:
        """Read a card from the content of its files."""
        return cls(json.loads(files[CARD_FACTS]), files[CARD_TEXT].decode())


def card_facts(
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
        As :func:`houseprice.model.measuring.importance.permutation_importance` gives it.
    report : Report, optional
        On sales held out.
    """
    contract, top = market.contract, importance.head(_TOP)
    return {
        "as_of": contract.market.as_of.isoformat(),
        **statements(contract.market),
        "data": _data(model, market),
        "fields": _fields(contract),
        "derived": [part.label for part in contract.derived.values()],
        "metrics": numbers(metrics),
        "report": None if report is None else report.as_data(),
        "importance": top.astype(object).where(top.notna(), None).to_dict("records"),
    }


def finished_card(facts: Mapping[str, Any], manifest: Manifest) -> Card:
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
    return Card(complete, card_text(complete))


def _data(model: ValuationModel, market: Market) -> dict[str, Any]:
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


def _plain(value: object) -> object:
    """Turn a number of numpy into one that JSON knows."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} can't stand in a model card")
