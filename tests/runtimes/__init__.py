"""Tests of podium.runtimes."""
