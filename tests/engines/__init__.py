"""Tests of podium.engines."""
