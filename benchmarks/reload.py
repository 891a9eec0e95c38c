"""How many requests fail while an application is reloaded: python -m benchmarks.reload [REQUESTS].

The real thing on this host: nginx with TLS, Gunicorn, clients that keep their connections and ask
without a pause, each for something else; every answer is checked. While they ask, a new model
takes its turn, and goes again, until enough requests are answered.
"""

from __future__ import annotations

import sys
import time

from tests.operate.sites import Commands, commands
from tests.support.visitors import Visitors, visiting, write_offset

REQUESTS = 20_000
CLIENTS = 16
LIMIT_S = 600.0


def measure(site: Commands, requests: int) -> tuple[Visitors, int, float]:
    """Return what the clients have seen, the number of changes under load, and the seconds."""
    changes, started = 0, time.monotonic()
    with visiting(site.https_port, CLIENTS) as visitors:
        while not changes or (visitors.count < requests and time.monotonic() - started < LIMIT_S):
            write_offset(site.app, 1000 + changes)
            for command in ("reload", "rollback"):
                done = site.run(command)
                if done.exit_code:
                    raise SystemExit(f"podium {command}: {done.stderr}")
                changes += 1
    return visitors, changes, time.monotonic() - started


def main(requests: int) -> int:
    """Print the figures; return 1 if a request has failed."""
    with commands() as site:
        write_offset(site.app, 0)
        done = site.up("--workers", 2)
        if done.exit_code:
            raise SystemExit(done.stderr)
        visitors, changes, seconds = measure(site, requests)
    print(
        f"{visitors.count} answered, {len(visitors.failures)} failed; {changes} changes of "
        f"release, {len(visitors.answers)} versions, {CLIENTS} connections, {seconds:.0f} s"
    )
    for failure in visitors.failures[:10]:
        print(f"  {failure}")
    return 1 if visitors.failures else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else REQUESTS))
