"""Tests of podium.web.page."""
