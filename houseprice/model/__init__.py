"""The valuation model: learning, explaining, measuring and storing it.

::

    training                                    from sales to an accepted version
    store, card                                 versions on disk, and their model cards
    study, diagnostics, gate                    figures of a version, and whether it is accepted
    evaluation, report, ratio_study, ...        metrics on held-out sales
    explanation, what_if, comparables, ...      why a house has its value; similar sales
    valuation                                   ValuationModel: prices with intervals
    conformal, blend, members, features         what it is made of
"""
