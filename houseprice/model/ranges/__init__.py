"""How far a value may be off: folds, blanks and calibrated ranges."""
