"""The same arrays give the same numbers here and in independent libraries."""
