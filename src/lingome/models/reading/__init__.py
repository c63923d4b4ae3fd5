"""Fast paths that only read: batches without padding, packed matrices, low precision."""
