"""Versions on disk, and the card that each carries."""
