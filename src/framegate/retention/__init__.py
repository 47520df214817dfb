"""Deletion of inputs, results and rows of the ledger, as the config says."""
