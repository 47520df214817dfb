"""Reads encoded pictures: what their headers show, where they are damaged, and their EXIF data."""
