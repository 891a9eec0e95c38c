"""The HTTP side: /predict, the page, and what describes them."""
