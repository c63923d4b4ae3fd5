"""The one training loop, its objectives, and exact resume."""
