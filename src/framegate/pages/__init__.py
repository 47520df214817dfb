"""What the pages of framegate have in common: colours, words, and how a page becomes one file."""
