"""Tests of the applications that come with Podium."""
