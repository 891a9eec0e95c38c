"""DuckDB, within what it may take of a machine."""

from __future__ import annotations

from pathlib import Path

import duckdb


def connect(memory: str, threads: int, spill: Path) -> duckdb.DuckDBPyConnection:
    """Return a connection to a database in memory; what is more than `memory` lies in `spill`.

    It loads no extension, which would come from the network.
    """
    return duckdb.connect(
        config={
            "memory_limit": memory,
            "threads": threads,
            "temp_directory": str(spill),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
