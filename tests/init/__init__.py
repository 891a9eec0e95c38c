"""podium init, piece by piece and with every format."""
