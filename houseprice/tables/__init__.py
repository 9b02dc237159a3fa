"""A table of houses from anybody's spreadsheet: read, valued row by row, written back."""
