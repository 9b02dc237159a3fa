"""What a value is made of, and what changing a fact does."""
