"""Links to answers that were given on the page."""
