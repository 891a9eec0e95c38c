"""Tests of podium.web."""
