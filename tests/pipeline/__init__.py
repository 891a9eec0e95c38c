"""Tests of podium.pipeline."""
