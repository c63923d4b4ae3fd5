"""How tensors and settings of published folders are named, both ways."""
