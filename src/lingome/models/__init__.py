"""Networks and the models on them, by name, by folder and by what they promise."""
