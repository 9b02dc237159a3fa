"""What learns: features, members, and their blend."""
