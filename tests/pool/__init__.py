"""Tests of podium.pool."""
