"""What must be true outside the config file: folders, space, inotify, extras."""
