"""Scans and replays of large archives, by several processes on one machine or on many."""
