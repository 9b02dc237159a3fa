"""A table of any size and kind, opened piece by piece or as a whole."""
