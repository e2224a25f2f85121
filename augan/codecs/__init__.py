"""Data to tensors and back."""
