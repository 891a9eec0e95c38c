"""An application in production on this host: brought up, looked at, changed and taken down."""
