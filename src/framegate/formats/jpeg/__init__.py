"""Reading a JPEG: what its markers say, its pixels, and whether its data is whole."""
