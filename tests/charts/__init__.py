"""Figures, tested as data."""
