"""The page for one input."""
