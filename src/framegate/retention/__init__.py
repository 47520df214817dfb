"""What is deleted, when told: inputs, results, rows of the ledger."""
