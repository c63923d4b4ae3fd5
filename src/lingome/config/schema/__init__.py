"""What a settings class is, and how it is read, listed and printed."""
