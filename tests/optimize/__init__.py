"""podium optimize: the export, the proof, and the change of podium.toml."""
