"""The contract of the HTTP API, spoken to a real server over a real socket."""
