"""``framegate suggest``: what each threshold would have kept, or the lines to paste for a goal."""
