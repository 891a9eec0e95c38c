"""`python -m podium.deploy.measured DIR`: the peak of a web worker's memory, in bytes.

All models are loaded and asked each example.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from podium.folder import parse
from podium.operate.asking import made_up, question_of


def main(folder: Path) -> None:
    """Ask all models, then print the peak.

    Raises:
        PodiumError: the application cannot be loaded.
    """
    from werkzeug.test import Client

    from podium.web.hosted import application_of

    parsed = parse(folder)
    examples = [question_of(folder, one) for one in parsed.spec.examples] or [made_up(parsed)]
    with tempfile.TemporaryDirectory(prefix="podium-") as state:
        client = Client(application_of(folder, state=state))
        base = parsed.spec.server.base_path
        host = (*parsed.spec.server.hosts, "localhost")[0]
        client.get(f"{base}/", base_url=f"http://{host}")
        for model in parsed.spec.models:
            for asked in examples:
                client.post(f"{base}/predict?model={model.name}", data=asked.body,
                            content_type=asked.content_type, base_url=f"http://{host}")  # fmt: skip
    sys.stdout.write(f"{_peak()}\n")


def _peak() -> int:
    """Return the peak of this process's resident memory in bytes; source: proc(5), getrusage(2).

    What getrusage tells begins with that of the process which started this one, so it comes second.
    """
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.M)
        assert found is not None
        return int(found[1]) * 1024
    except FileNotFoundError:
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return used if sys.platform == "darwin" else used * 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]))
