"""Settings that several workflows share: the task and its splits, training, the ladder of sizes."""
