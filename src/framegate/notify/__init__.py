"""Telling somebody: what happened is queued on disk, and told by threads that the loop never waits for."""
