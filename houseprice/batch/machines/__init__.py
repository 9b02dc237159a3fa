"""One table, or many, shared out among processes and machines, and joined again."""
