"""What a person starts: scan, status, explain, demo."""
