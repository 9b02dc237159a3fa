"""The HTTP service: the same answers over a network."""
