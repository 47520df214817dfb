"""The process that serves one drop folder: its loop, systemd, the lock, the guard against crashes."""
