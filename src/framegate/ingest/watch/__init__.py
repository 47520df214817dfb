"""Hints: the watchdog observer, its supervision, and what it needs of inotify and mounts."""
