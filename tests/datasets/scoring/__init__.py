"""Tests of podium.datasets.scoring."""
