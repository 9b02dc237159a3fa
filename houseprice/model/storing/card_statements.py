"""What a model card states in words: purpose, method and limits, the same for every market.

What is said of the method describes what :mod:`houseprice.model.learning.pipeline` and
:mod:`houseprice.model.ranges.intervals` do: whoever changes those changes the words here.
"""

from __future__ import annotations

from houseprice.market.contract import Summary
from houseprice.model.storing.markdown import day

__all__ = ["statements"]


def statements(market: Summary) -> dict[str, list[str]]:
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
