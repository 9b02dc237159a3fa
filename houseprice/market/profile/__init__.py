"""What the sales say, as small tables: the figures behind every chart of them."""
