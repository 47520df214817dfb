"""The whole decision about the frames of one camera, in their order."""
