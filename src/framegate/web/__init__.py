"""The page of ``framegate web``: a process of its own, which only reads."""
