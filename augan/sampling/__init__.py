"""Synthetic rows of a class: sources, filters, and the choice of their number."""

FILTERS = ("critic", "label", "copies")  # see `augan.sampling.filters`
