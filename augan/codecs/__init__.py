"""Encoding of data as tensors, and decoding."""
