"""Tests of podium.deploy."""
