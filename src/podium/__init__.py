"""Podium turns a trained model into a REST API and a page that says how sure it is."""

__version__ = "0.1.0"
