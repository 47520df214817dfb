"""A TIFF or BigTIFF: its pages, which of them is the picture, and whether its compressed parts are whole."""
