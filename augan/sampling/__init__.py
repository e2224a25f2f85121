"""New rows of a class: where they come from, and which of them are kept."""
