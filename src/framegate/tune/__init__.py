"""Choosing thresholds: why a frame was kept or not."""
