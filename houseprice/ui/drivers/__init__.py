"""The page of what drives price."""
