"""The cameras: what each remembers, which of them are in memory, and how much memory they may take."""
