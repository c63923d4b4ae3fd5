"""Convolutions and attention to tracks of binned signal: Enformer."""
