"""Reads TAP, the Test Anything Protocol, versions 12 to 14 with subtests as node:test and node-tap write them. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ingest.twin import Said, Told
from projects.vocabulary import Outcome

POINT = re.compile(
    r"(?P<indent> *)(?P<not>not )?ok\b(?: (?P<number>\d+))?(?:\s*-)?\s*"
    r"(?P<name>(?:[^#\\]|\\.|#(?!\s*(?i:skip|todo|time)\b))*)(?:#\s*(?P<directive>.*))?\Z",
    re.DOTALL,
)
TIME = re.compile(r"(?i)(?:#\s*)?time=([\d.]+)\s*(ms|s)?")
BATS_TIME = re.compile(r" in (\d+)ms\Z")
DURATION = re.compile(r"\s*duration_ms:\s*'?\"?([\d.]+)")
PLAN = re.compile(r"1\.\.\d+")
BAIL = re.compile(r"\s*Bail out!\s*(.*)")
START = re.compile(r"\s*(?:TAP version \d+|1\.\.\d+|(?:not )?ok\b(?: \d+| -|$))")
STEP = 4  # spaces that a subtest is indented by
LONGEST_LINE = 4_000  # characters; a name has a thousand
KEPT_LINES = 400  # of what a failure says


@dataclass(slots=True)
class Point:
    """A test point while what follows it is still being read."""

    told: Told
    depth: int
    inner: list[Told]
    lines: list[str] = field(default_factory=list)


def is_start(line: str) -> bool:
    """True for a line that a TAP document may begin with."""
    return START.match(line) is not None


def results(lines: Iterable[str]) -> Iterator[Told]:
    """Yield the results; a point with subtests is the suite around them, and a test only where none of them shows its failure."""
    levels: list[list[Told]] = [[]]  # finished results by depth
    open_point: Point | None = None
    for raw in lines:
        line = raw.rstrip("\r\n")[:LONGEST_LINE]
        if bail := BAIL.match(line):
            _close(open_point, levels)
            open_point = None
            levels[0].append(Told(name="Bail out!", outcome=Outcome.ERROR, said=Said(message=bail[1])))
        elif (found := POINT.match(line)) and not _is_inside(open_point, found["indent"]):
            _close(open_point, levels)
            open_point = _opened(found, levels)
        elif open_point is not None and len(open_point.lines) < KEPT_LINES:
            open_point.lines.append(line)
    _close(open_point, levels)
    for left in levels:
        yield from left


def _is_inside(point: Point | None, indent: str) -> bool:
    """True for a line of a diagnostic block, which is indented by two where subtests are by four."""
    return point is not None and len(indent) % STEP != 0


def _opened(found: re.Match[str], levels: list[list[Told]]) -> Point:
    depth = len(found["indent"]) // STEP
    while len(levels) < depth + 2:
        levels.append([])
    inner = [told for level in levels[depth + 1 :] for told in level]
    for level in levels[depth + 1 :]:
        level.clear()
    return Point(_told(found), depth, inner)


def _told(found: re.Match[str]) -> Told:
    name, directive = re.sub(r"\\(.)", r"\1", found["name"]).strip(), (found["directive"] or "").strip()
    outcome = Outcome.FAILED if found["not"] else Outcome.PASSED
    if directive.lower().startswith(("skip", "todo")):
        outcome = Outcome.SKIPPED
    seconds = None
    if time := TIME.search(directive):
        seconds = float(time[1].rstrip(".")) / (1 if time[2] == "s" else 1000)
    elif bats := BATS_TIME.search(name):
        seconds, name = int(bats[1]) / 1000, name[: bats.start()]
    said = Said(message=directive.partition(" ")[2]) if outcome is Outcome.SKIPPED else Said()
    return Told(
        name=name or f"test {found['number'] or ''}".strip(), outcome=outcome, seconds=seconds, said=said
    )


def _close(point: Point | None, levels: list[list[Told]]) -> None:
    if point is None:
        return
    told = _with_words(point)
    inner = [one._replace(suites=(told.name, *one.suites)) for one in point.inner]
    is_shown = any(one.outcome.is_bad for one in inner) or not told.outcome.is_bad
    levels[point.depth].extend(inner)
    if not inner or not is_shown:
        levels[point.depth].append(told)


def _with_words(point: Point) -> Told:
    told = point.told
    lines = [
        line for line in point.lines if line.strip() not in ("---", "...") and not PLAN.match(line.strip())
    ]
    duration = next((found for line in lines if (found := DURATION.match(line))), None)
    if duration and told.seconds is None:  # node:test, whose JUnit report gives every case this class
        told = told._replace(seconds=float(duration[1].rstrip(".")) / 1000, classname="test")
    if not told.outcome.is_bad:
        return told
    text = "\n".join(line.removeprefix("# ") for line in lines if not line.lstrip().startswith("# Subtest"))
    return told._replace(said=Said(message=_message(lines), text=text))


def _message(lines: list[str]) -> str:
    for n, line in enumerate(lines):
        key, _, value = line.strip().partition(":")
        if key in ("error", "message"):
            said = value.strip(" |>-'\"")
            if said or (said := _block(lines[n + 1 :], depth=_depth(line))):
                return said
    return next((line.removeprefix("#").strip() for line in lines if line.startswith("#")), "")


def _block(lines: list[str], *, depth: int) -> str:
    """Return the text of a block of YAML: the lines that are indented further than its key."""
    inside = itertools.takewhile(lambda line: not line.strip() or _depth(line) > depth, lines)
    return "\n".join(line.strip() for line in inside if line.strip())


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
