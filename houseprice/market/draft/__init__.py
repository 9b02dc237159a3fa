"""A draft of a contract from a file of sales."""
