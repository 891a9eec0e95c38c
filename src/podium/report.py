"""`podium report`: a data set is scored and judged, and what was found becomes one HTML file."""

from __future__ import annotations

from pathlib import Path

from podium.datasets.once import scored_once
from podium.datasets.wishes import Wishes
from podium.web.datasets.report import render_report
from podium.web.language import in_language_of


def report_application(folder: Path, data: Path, output: Path, wishes: Wishes) -> None:
    """Write the report on a data set; a file that is there is replaced when all is done.

    Raises:
        PodiumError: the application, the data set or an option is wrong, or there is no room.
    """
    with scored_once(folder, data, output, wishes, ()) as once, in_language_of(once.app):
        page = once.place.folder / "report.html"
        page.write_text(render_report(once.findings), "utf-8")
        page.replace(output)
