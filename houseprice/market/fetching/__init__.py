"""A market's files from where they are published, checked before they are kept."""
