"""The container, built and run by a real engine: `make test-container`."""
