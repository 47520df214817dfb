"""The files in hand, from the first hint of a file to its verdict."""
