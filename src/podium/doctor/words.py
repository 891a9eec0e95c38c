"""A finding in words, for a terminal."""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import Final

from podium.doctor import Report
from podium.doctor.finding import Finding
from podium.errors import counted

_MARKS: Final = {"ok": "ok", "warning": "WARNING", "wrong": "WRONG", "unknown": "unknown"}
_WIDTH: Final = 100


def in_words(finding: Finding) -> str:
    """Return a finding with what to do about it."""
    head = f"{_MARKS[finding.verdict]:8} {finding.check}: {finding.seen}"
    more = (("expected", finding.expected), ("to mend", finding.mend))
    lines = [f"{name}: {text}" for name, text in more if text and finding.verdict != "ok"]
    return "\n".join([head, *(textwrap.indent(_wrapped(line), " " * 9) for line in lines)])


def summary(report: Report) -> str:
    """Return how it went, in one line."""
    count = Counter(one.verdict for one in report.findings)
    told = [f"{count['ok']} ok", counted(count["warning"], "warning"), f"{count['wrong']} wrong"]
    left = f"; {count['unknown']} could not be looked at" if count["unknown"] else ""
    return f"{report.address} {', '.join(told)}{left}."


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False,
                                   subsequent_indent="  "))  # fmt: skip
