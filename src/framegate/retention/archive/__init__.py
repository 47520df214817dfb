"""Judged inputs are moved to the archive, without judging waiting for it."""
