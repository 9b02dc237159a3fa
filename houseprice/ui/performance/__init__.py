"""The page of how good the model is."""
