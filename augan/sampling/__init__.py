"""New rows of a class: where they come from, and which of them are kept."""

FILTERS = ("critic", "label", "copies")  # what may refuse rows; see `augan.sampling.filters`
