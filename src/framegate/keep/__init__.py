"""What stays: the durable copy of a kept frame, and the ledger of every decision."""
