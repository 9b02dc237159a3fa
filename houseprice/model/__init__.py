"""The model: what learns prices from sales, how it is measured, and where it is stored.

::

    training                    from sales to an active version
    store, card, study          versions on disk and what is stored with them
    gate, diagnostics           champion and challenger; errors, calibration, ablation
    evaluation, report          cross-validation, ratio study, metrics and their standards
    explanation, comparables    contributions, what-if, similar sales
    valuation                   ValuationModel: prices with intervals
    conformal, aggregate        intervals of one house and of a portfolio
    imputation                  unknown fields from the known ones
    extrapolation               the distance of a house from the sales
    features, members, blend    what learns
"""
