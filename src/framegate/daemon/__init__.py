"""The daemon process of one drop folder: loop, signals, systemd, locks, crash guard."""
