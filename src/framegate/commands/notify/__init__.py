"""``framegate notify``: whether somebody would be told."""
