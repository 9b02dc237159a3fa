"""What there is to say of a table as a whole: checks, drift, totals, prices, mending."""
