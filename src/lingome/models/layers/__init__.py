"""What several networks are built of: attention, norms, packed linear layers."""
