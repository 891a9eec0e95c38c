"""Score the penguins demo's page with Lighthouse, as a phone and as a desktop see it.

python -m scripts.lighthouse.score LIGHTHOUSE

LIGHTHOUSE is the program. The scores come as a table; below 95 in any of them is a failure.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.support.server import running

LEAST = 95
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
FORMS: dict[str, list[str]] = {"phone": [], "desktop": ["--preset=desktop"]}
FLAGS = ("--headless=new --no-sandbox --disable-gpu --disable-background-networking "
         "--disable-sync --no-first-run --disable-component-update")  # fmt: skip
RUNS = 3
"""The median of so many counts: each depends on what else the machine does."""
TRIES = 6
"""At times Chromium's trace lacks its beginning, which Lighthouse then tells as an error."""


def main(lighthouse: str) -> None:
    """Print the scores, and what keeps one from being full; end with an error below 95."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), "demo", "penguins") as server,
    ):
        url = f"http://localhost:{server.client.port}/"
        reports = {form: median(lighthouse, url, more) for form, more in FORMS.items()}
    print(table(reports))
    for form, report in reports.items():
        for line in shortcomings(report):
            print(f"{form}: {line}")
    low = [score for report in reports.values() for score in scores(report) if score < LEAST]
    sys.exit(f"A score is below {LEAST}." if low else 0)


def median(lighthouse: str, url: str, more: list[str]) -> dict[str, Any]:
    """Return the report of the median performance among several."""
    reports = [measured(lighthouse, url, more) for _ in range(RUNS)]
    return sorted(reports, key=scores)[RUNS // 2]


def measured(lighthouse: str, url: str, more: list[str]) -> dict[str, Any]:
    """Return Lighthouse's report of a page."""
    command = [lighthouse, url, "--output=json", "--quiet", "--no-enable-error-reporting",
               f"--only-categories={','.join(CATEGORIES)}", f"--chrome-flags={FLAGS}",
               *more]  # fmt: skip
    chromium = {"CHROME_PATH": shutil.which("chromium") or ""}
    for _ in range(TRIES):
        done = subprocess.run(  # noqa: S603  the arguments are a list, not a shell's text
            command, capture_output=True, text=True, timeout=180, env=os.environ | chromium
        )
        report: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
        if report and "runtimeError" not in report:
            return report
    sys.exit(f"Lighthouse failed {TRIES} times:\n{done.stderr}")


def scores(report: dict[str, Any]) -> list[int]:
    """Return a report's scores out of 100, in the order of CATEGORIES."""
    return [round(100 * report["categories"][name]["score"]) for name in CATEGORIES]


def table(reports: dict[str, dict[str, Any]]) -> str:
    """Return the scores as Markdown, with Lighthouse's measure of the machine's own speed."""
    rows = [["", *CATEGORIES, "loaded", "machine"], ["---"] + ["---:"] * (len(CATEGORIES) + 2)]
    for form, report in reports.items():
        loaded = report["audits"]["total-byte-weight"]["numericValue"] / 1000
        speed = f"{report['environment']['benchmarkIndex']:.0f}"
        rows.append([form, *map(str, scores(report)), f"{loaded:.1f} kB", speed])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def shortcomings(report: dict[str, Any]) -> list[str]:
    """Return the audits that cost a report points."""
    return [
        f"{audit['title']} ({audit['score']:.2f}) {audit.get('displayValue', '')}"
        for category in report["categories"].values()
        for ref in category["auditRefs"]
        if ref["weight"] and (audit := report["audits"][ref["id"]])["score"] not in (None, 1)
    ]


if __name__ == "__main__":
    main(sys.argv[1])
