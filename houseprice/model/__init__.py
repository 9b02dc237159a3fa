"""What learns: features, regressor, range, valuation, and how good they are."""
