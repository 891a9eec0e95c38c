"""Tests of podium.datasets.reading."""
