"""Whether a model may go on: the limits of its market, and the version in use beside it."""
