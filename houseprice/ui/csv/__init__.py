"""The page that values a table."""
