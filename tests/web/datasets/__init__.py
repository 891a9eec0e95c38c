"""Tests of podium.web.datasets."""
