"""The daemon and its kin: the loop, the scan of a finite folder, logs, checks before the start."""
