"""Tests of podium.datasets.writing."""
