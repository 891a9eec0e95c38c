"""Tests of podium.container that need no engine."""
