"""Whether the first bytes of a JSON file are those of a report. Pure.

An archive of a workspace holds many JSON files that are none: settings, locks, translations. Their beginnings tell them
apart, so that none is opened in vain.
"""

from __future__ import annotations

import re

from ingest.formats import gotest

HEAD_BYTES = 4_096
MARK = b"\xef\xbb\xbf"
# Of CTRF, Playwright and pytest-json-report, in the order in which they write their parts.
BEGINNINGS = re.compile(
    rb"""\{\s*(?:
        .*?"reportFormat"\s*:\s*"CTRF"
        | "results"\s*:\s*\{\s*"tool"\s*:\s*\{
        | "config"\s*:\s*\{(?=.*"(?:rootDir|configFile|projects)"\s*:)
        | "suites"\s*:\s*\[(?=.*"specs"\s*:)
        | "created"\s*:\s*[\d.]+\s*,\s*"duration"\s*:.*?"exitcode"\s*:
    )""",
    re.DOTALL | re.VERBOSE,
)


def is_report(head: bytes) -> bool:
    """True where a JSON file begins as one of the reports that are read."""
    start = head[:HEAD_BYTES].removeprefix(MARK).lstrip()
    return gotest.is_event(start.partition(b"\n")[0]) or BEGINNINGS.match(start) is not None
