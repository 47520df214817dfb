"""Every event that framegate can log: one class for each, in modules by subject."""
