"""What the outside sees: the log, counters, status, metrics, silent cameras."""
