"""The page of the model's performance."""
