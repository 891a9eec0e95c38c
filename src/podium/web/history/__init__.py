"""Links to answers that were given on the page, where the maker turns [history] on."""
