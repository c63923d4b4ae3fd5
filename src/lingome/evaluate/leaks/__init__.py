"""Does the test set, or a generated sequence, repeat the training data?"""
