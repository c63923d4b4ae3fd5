"""What several networks are built of: attention, norms, packed linear layers, the draw of first weights."""
