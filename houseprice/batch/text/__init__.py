"""Tables as text: decoding, splitting, headers, and what stays of the user's own columns."""
