"""The pages of the records: saving, the list of saved valuations, and the track record."""
