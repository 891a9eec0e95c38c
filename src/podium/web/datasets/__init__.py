"""Whole data sets over HTTP: their API, and their pages."""
