"""Does a frame differ? Arithmetic only: no clock, file, log or thread. A library for others, too."""
