"""Settings of what people and programs are told: notifications, the page, metrics, the log."""
