"""What the operator sees: log, counters, status, metrics, warnings about silent and frozen cameras."""
