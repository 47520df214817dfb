"""The frames that are replayed: those of a folder, or those that a daemon has judged."""
