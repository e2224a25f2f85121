"""Classifiers of rows and of images, for cross-validation and for evaluation."""
