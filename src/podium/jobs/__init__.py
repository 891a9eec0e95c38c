"""Data sets that are worked on behind the web: jobs in a database, a worker that takes them."""
