"""Files of published model folders, and how tensors and settings are named in them, both ways."""
