"""``framegate replay``: what other settings would have kept of the same frames."""
