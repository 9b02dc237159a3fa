"""How good a model is: metrics, baselines, ratio study, report."""
