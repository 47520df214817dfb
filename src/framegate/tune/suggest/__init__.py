"""What each threshold would have meant, and which one meets a goal.

Keeps are not monotone in the threshold: raising it can keep more, since another frame becomes the reference.
So no goal is approached by halving. Outcomes are replayed and listed, and each says from which threshold to
which it stays the same; between two of them nothing is guessed.
"""
