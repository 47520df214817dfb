"""Every setting once: from a TOML file to settings, and back to text."""
