"""Tests of podium.datasets.judging."""
