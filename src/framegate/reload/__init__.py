"""Live edits: watch the config file, check a new version, put it in force."""
