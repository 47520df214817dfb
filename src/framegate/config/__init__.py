"""The settings: read from a TOML file, checked, and written as text."""
