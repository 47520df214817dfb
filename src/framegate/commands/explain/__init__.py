"""``framegate explain``: why a daemon kept or dropped a frame, or would keep or drop one after another."""
