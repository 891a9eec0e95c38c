"""Attacks: what hostile requests, files and neighbours try, against real servers."""
