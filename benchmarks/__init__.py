"""Podium against the raw loop and a server written by hand, measured in one run."""
