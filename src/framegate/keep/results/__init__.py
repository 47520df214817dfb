"""Files in the results folder: copies before they have their names, and the folders that they are in."""
