"""Checkpoints in and out: Hugging Face folders, old weights, ONNX."""
