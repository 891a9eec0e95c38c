"""Tests of podium.production."""
