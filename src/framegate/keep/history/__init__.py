"""What a replay needs of the past, as the ledger remembers it."""
