"""Sales that are like a house."""
