"""One suite that every runtime passes: the same questions, and the framework's own answers."""
