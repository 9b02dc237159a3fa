"""The page that values one house."""
