"""Judge recorded frames again, by other settings, exactly as the daemon would.

One pass serves any number of lines: a line is a set of settings with cameras of its own, judged by the
pipeline's own ``Camera`` and ``Judge``. What the lines have in common is computed once (``sharing``), and may
be remembered on disk (``facts``), so that a second replay needs no picture.
"""
