"""Tests of podium.datasets."""
