"""What a camera writes beside its picture: when it was taken, how it has to be turned."""
