"""Whole data sets: read, scored in chunks, judged by their labels, told."""
