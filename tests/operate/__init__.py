"""Tests of running an application in production on this host."""
