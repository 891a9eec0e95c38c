"""Running an application for real: siblings that make settings and files."""
