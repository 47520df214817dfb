"""A simulated parking-lot camera and the real daemon over it: what framegate does, in under 20 seconds."""
