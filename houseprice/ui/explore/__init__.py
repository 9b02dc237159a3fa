"""The page of the sales."""
