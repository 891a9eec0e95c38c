"""Tests of the jobs: their database, the worker, and that no kill harms them."""
