"""Help for choosing thresholds: why a frame is kept or not."""
