"""What learns, in six rooms; :mod:`houseprice.model.valuation` is where they meet.

::

    training                   from sales to a version that may be used
    storing                    versions on disk, and the card of each
    measuring                  metrics, baselines, ratio study, report
    explaining | comparing     why this value, what if; sales like a house
    valuation                  ValuationModel: prices with ranges
    ranges                     how far a value may be off
    learning                   features, members and their blend

Imports go down this list only.
"""
