"""The doctor finds what is wrong with a live address, and names what mends it."""
