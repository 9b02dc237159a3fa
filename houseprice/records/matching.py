"""Which saved valuation a later sale belongs to: by reference, property key or address.

Only valuations that were given before the day of the sale are candidates, and of those of one house
the latest is chosen, with a value if one has it. Addresses are compared within a block, so that the
work grows with the sizes of the blocks and not with all valuations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, NamedTuple

import numpy as np
from rapidfuzz import fuzz, process
from sqlalchemy import Column, Connection, select

from houseprice.records.schema import entries, valuations
from houseprice.records.valuations import address_block

ACCEPT_SCORE = 95.0
"""Addresses from this similarity on, of 100, with equal numbers are the same."""
UNSURE_SCORE = 80.0
"""Addresses below this similarity are different; between the two, a person decides."""
MAX_CANDIDATES = 5
"""Valuations that a person chooses from."""

Method = Literal["reference", "property_key", "address", "person"]
State = Literal["accepted", "unsure", "rejected"]


@dataclass(frozen=True)
class Sale:
    """What a later sale is recognised by; it belongs to none of the ``rejected`` valuations."""

    outcome: int
    sold_on: date
    reference: str | None
    property_key: str | None
    address: str | None
    rejected: frozenset[int] = frozenset()


class Match(NamedTuple):
    """A row of the table of matches."""

    outcome: int
    valuation: int
    method: Method
    score: float
    state: State


class _Candidate(NamedTuple):
    number: int
    person: str
    valued_on: date
    has_value: bool
    property_key: str | None
    address: str | None

    @property
    def rank(self) -> tuple[bool, date, int]:
        return self.has_value, self.valued_on, self.number


def find_matches(
    connection: Connection,
    market: str,
    sales: Sequence[Sale],
    *,
    uploader: str,
    person: str | None = None,
) -> list[Match]:
    """Match sales with the valuations of a person, or of all; nothing for a sale without any.

    A reference is a word of one's own: the valuations of the ``uploader`` come first.
    """
    matches: list[Match] = []
    open_sales = list(sales)
    columns: dict[Method, Column[Any]] = {
        "reference": valuations.c.reference,
        "property_key": valuations.c.property_key,
        "address": valuations.c.address_block,
    }
    for method, column in columns.items():
        keys = {sale.outcome: _key(sale, method) for sale in open_sales}
        groups = _candidates(connection, market, column, {*keys.values()} - {None}, person)
        found: list[Match] = []
        if method == "address":
            found += _match_addresses(open_sales, keys, groups)
        else:
            for sale in open_sales:
                fitting = _before(sale, groups.get(keys[sale.outcome], ()))
                if method == "reference":
                    fitting = [each for each in fitting if each.person == uploader] or fitting
                found += _choose(sale, fitting, method)
        matches += found
        matched = {match.outcome for match in found}
        open_sales = [sale for sale in open_sales if sale.outcome not in matched]
    return matches


def _key(sale: Sale, method: Method) -> str | None:
    if method == "address":
        return address_block(sale.address or "") or None
    return sale.reference if method == "reference" else sale.property_key


def _candidates(
    connection: Connection,
    market: str,
    column: Column[Any],
    keys: Collection[str | None],
    person: str | None,
) -> Mapping[str | None, list[_Candidate]]:
    """Return the valuations that have one of these keys in a column, by key."""
    groups: dict[str | None, list[_Candidate]] = defaultdict(list)
    if not keys:
        return groups
    own = valuations.c
    query = (
        select(
            column, own.entry, entries.c.person, own.valued_at, own.predicted_price.is_not(None),
            own.property_key, own.address,
        )
        .join(entries, entries.c.id == own.entry)
        .where(column.in_(list(keys)), entries.c.market == market)
    )  # fmt: skip
    if person is not None:
        query = query.where(entries.c.person == person)
    for key, number, author, valued_at, has_value, property_key, address in connection.execute(
        query
    ):
        groups[key].append(
            _Candidate(number, author, valued_at.date(), bool(has_value), property_key, address)
        )
    return groups


def _before(sale: Sale, candidates: Iterable[_Candidate]) -> list[_Candidate]:
    """Return the candidates that were valued before the sale and may be the same house."""
    return [
        each
        for each in candidates
        if each.valued_on < sale.sold_on and each.number not in sale.rejected
    ]


def _choose(sale: Sale, candidates: Sequence[_Candidate], method: Method) -> Iterator[Match]:
    """Yield the latest valuation if all are of the house of the sale; else those of each house."""
    if not candidates:
        return
    latest: dict[tuple[str | None, ...], _Candidate] = {}
    for each in sorted(candidates, key=lambda candidate: candidate.rank):
        latest[each.property_key, each.address, each.person] = each
    best = max(latest.values(), key=lambda candidate: candidate.rank)
    keys = {each.property_key for each in latest.values()}
    addresses = {each.address for each in latest.values()} - {None}
    people = {each.person for each in latest.values()}
    is_one_key = len((keys | {sale.property_key}) - {None}) <= 1
    is_one_text = len(addresses) <= 1 and (len(people) == 1 or method == "address")
    is_sure = is_one_key and ((len(keys) == 1 and None not in keys) or is_one_text)
    if is_sure:
        yield Match(sale.outcome, best.number, method, 100.0, "accepted")
        return
    shown = sorted(latest.values(), key=lambda candidate: candidate.rank, reverse=True)
    for each in shown[:MAX_CANDIDATES]:
        yield Match(sale.outcome, each.number, method, 100.0, "unsure")


def _match_addresses(
    sales: Sequence[Sale],
    keys: Mapping[int, str | None],
    groups: Mapping[str | None, list[_Candidate]],
) -> Iterator[Match]:
    by_block: dict[str | None, list[Sale]] = defaultdict(list)
    for sale in sales:
        if (block := keys[sale.outcome]) in groups:
            by_block[block].append(sale)
    for block, block_sales in by_block.items():
        at: dict[str, list[_Candidate]] = defaultdict(list)
        for each in groups[block]:
            at[each.address or ""].append(each)
        addresses = list(at)
        scores = process.cdist(
            [sale.address or "" for sale in block_sales],
            addresses,
            scorer=fuzz.token_sort_ratio,
            score_cutoff=UNSURE_SCORE,
            dtype=np.float32,
        )
        for sale, row in zip(block_sales, scores, strict=True):
            near = np.flatnonzero(row)
            similar = {addresses[i]: float(row[i]) for i in near[np.argsort(-row[near])]}
            yield from _match_address(sale, similar, at)


def _match_address(
    sale: Sale, similar: Mapping[str, float], at: Mapping[str, list[_Candidate]]
) -> Iterator[Match]:
    """Accept the one address that is nearly equal; show those that are only similar."""
    fitting = {
        address: [
            each
            for each in _before(sale, at[address])
            if not (sale.property_key and each.property_key)  # else the keys would be equal
        ]
        for address in similar
    }
    fitting = {address: candidates for address, candidates in fitting.items() if candidates}
    good = [
        address
        for address in fitting
        if similar[address] >= ACCEPT_SCORE and _numbers(address) == _numbers(sale.address or "")
    ]
    if sale.address in good or len(good) == 1:
        address = sale.address if sale.address in good else good[0]
        assert address is not None
        for match in _choose(sale, fitting[address], "address"):
            yield match._replace(score=similar[address])
        return
    for address in list(fitting)[:MAX_CANDIDATES]:
        latest = max(fitting[address], key=lambda candidate: candidate.rank)
        yield Match(sale.outcome, latest.number, "address", similar[address], "unsure")


def _numbers(address: str) -> list[str]:
    return sorted(word for word in address.split() if any(map(str.isdigit, word)))
