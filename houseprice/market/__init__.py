"""What the data are: the contract, the sales, and the checks that every row passes."""
