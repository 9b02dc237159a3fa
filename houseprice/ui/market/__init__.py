"""The page on which a market is made of a file of sales."""
