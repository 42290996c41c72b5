"""What a failure says once its numbers, ids, paths and addresses are removed, so that equal failures group.

Knows text alone. Which seam broke is for boundaries.py, why a test is flaky for causes.py, and keeping the
samples of a Signature for the rows.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

SIGNATURE_VERSION = 1  # stored beside the digest, so that a changed mask makes new groups

TITLE_LENGTH = 2000
TEXT_HEAD, TEXT_TAIL = 24_000, 8_000  # what is read of a longer text: reporters put the error at either end
LINE_LENGTH = 400  # a longer line is a dump, and its start names it
NAMED_LINES = 3  # an error and its cause; what follows repeats them
WORDED_LINES = 4
FRAMES = 3


class Signature(NamedTuple):
    """The identity of a failure: 16 bytes, the version of the rules that made them, and the masked text."""

    digest: bytes
    version: int
    title: str


# Codes whose number is the meaning: they are lifted out of the masks' sight and put back afterwards.
CODES = re.compile(
    r"\b(?:HTTP(?:/\d(?:\.\d)?)?|status(?:[ _]?code)?|exit(?:ed with)?[ _]?(?:code|status)|errno|sqlstate"
    r"|signal)\W{0,3}-?\d{1,10}\b"
    r"|\b[45]\d\d(?= (?:Bad|Unauthori|Payment|Forbidden|Not|Method|Request|Conflict|Gone|Unprocess|Too"
    r"|Internal|Service|Gateway|Client|Server))"
    # The usual ports say which service was called.
    r"|:(?:22|25|53|80|443|587|1433|1521|2181|3306|4222|5432|5672|6379|8080|8443|9092|9200|11211|27017)\b"
    r"(?![.:]\d)",
    re.I,
)
HIDE = {ord(str(n)): 0xE000 + n for n in range(10)}
# Everything else looks at digits without asking which they are, but for the 0 of 0x and the 1 of ::1.
TELLING_DIGITS = re.compile(f"{CODES.pattern}|[1-9]x|::1", re.I)
ZEROS = str.maketrans("123456789", "000000000")
DIGIT = re.compile(r"\d")
MOST_REMEMBERED = 2_000  # lines, of LINE_LENGTH at most: those of the failures of a day of a few projects
MOST_TITLES = 500  # of TITLE_LENGTH at most
SHOW = {0xE000 + n: str(n) for n in range(10)}

MASKS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), mask)
    for pattern, mask in (
        (r"(?i)\b(?:https?|wss?|ftp|file|jdbc:\w+|postgres\w*|redis|amqp|mongodb)://[^\s'\")>\]]+", "<url>"),
        (r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b", "<uuid>"),
        (r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?: ?(?:Z|[+-]\d\d:?\d\d))?)?", "<time>"),
        (
            r"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?(?:\d{1,2} )?"
            r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{1,4}(?:,? \d{4})?"
            r"(?: \d\d:\d\d:\d\d)?(?: (?:GMT|UTC|[A-Z]{3,4})\b)?(?: \d{4})?",
            "<time>",
        ),
        (r"\b\d{1,2}:\d\d:\d\d(?:[.,]\d+)?\b", "<time>"),
        (r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b", "<ip>"),
        (r"(?:\b[0-9a-fA-F]{1,4})?(?:::?[0-9a-fA-F]{1,4}){2,7}\b|::1\b", "<ip>"),
        (r"\b(?:localhost|\[<ip>\]):\d+", "<address>"),
        (r"\b0x[0-9a-fA-F]+", "<hex>"),
        (r"\b(?=[a-fA-F]*\d)[0-9a-fA-F]{12,128}\b|\b(?=[A-F]*\d)(?=\d*[A-F])[0-9A-F]{8}\b", "<hex>"),
        (r"(?:\b[A-Za-z]:)?(?:(?<![<\w])[\\/]|[\\/](?=[\w.]))(?:[\w.+@~$%-]+[\\/])+[\w.+@~$%=-]*", "<path>"),
        (r"[@#][0-9a-f]{5,}\b", "<id>"),
        (r"\b(?=(?:[A-Za-z_]*\d){4})[A-Za-z_]*[A-Za-z]\w{8,}\b", "<id>"),
        (
            r"(?<!\w)[-+]?\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?"
            r"(?:\s?(?:ns|us|µs|ms|s|sec|secs|seconds?|minutes?|min|hours?|[kKMG]i?B|bytes|B"
            r"|%))?(?![A-Za-z0-9])",
            "<n>",
        ),
        (r"<n>(?:[ ,]{1,3}<n>)+", "<n>"),
        (r"\s+", " "),
    )
)

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff\ue000-\ue009]")
NAMES_ERROR = re.compile(
    r"\b(?:\w*[a-z](?:Error|Exception|Failure)|[Ee]rror|ERROR|[Ff]atal|FATAL|panic(?:ked)?)\b ?[:\[(]"
)
SAYS_WHAT = re.compile(
    r"error|exception|assert|fail|timeout|timed out|expect|panic|fatal|crash|signal|code:|actual|refused"
    r"|denied|cannot|can't|unable|not found|no such|killed|abort|diff|mismatch",
    re.I,
)
# What a reporter or a runtime adds whatever failed; read only when there is nothing else.
NOISE = re.compile(
    r"(?:not ok|ok) \d|\[(?:PASS|SKIP)|TAP version|# Subtest|-{3}|\.{3}$|duration(?:_ms)?:|severity:"
    r"|exitcode:|stack:"
    r"|(?:[✔✓▶ℹ]|\[process \d+\]|PASS\b|Finished: |Caused by: $|[=_*-]{5,})|\^+$|[{}\[\]()|;,]+$"
    r"|throw |raise |triggerUncaught|reject\(|(?:node:)?internal\S+:\d+$|[\\/]\S+:\d+$|code: '"
    r"|generatedMessage:"
    r"|type:|location:",
    re.I,
)
EXIT = re.compile(r"exit ?code: |signal: ", re.I)
PYTEST = re.compile(r"E {2,}\S")

# The machine or the network, not the code: the place of such a failure is no part of its identity.
MACHINE = re.compile(
    r"ECONN(?:RESET|REFUSED|ABORTED)|ETIMEDOUT|EAI_AGAIN|ENOTFOUND|EADDRINUSE|ENOSPC|EMFILE|ENOMEM"
    r"|no space left|connection (?:refused|reset|timed out)|temporary failure in name resolution"
    r"|could not resolve host|TLS handshake timeout|out of memory|OutOfMemory|too many open files"
    r"|50[234] (?:bad gateway|service|gateway)",
    re.I,
)

FRAME = re.compile(
    r'File "(?P<python>[^"]+)", line \d+(?:, in (?P<python_in>.+))?'
    r"|at (?P<js_in>[^()]*?) \((?P<js>[^()]*?):\d+(?::\d+)?\)"
    r"|at (?:async )?(?P<bare>(?:file://|node:|[\\/.]|[A-Za-z]:)[^\s()]*?):\d+(?::\d+)?\)?$"
    r"|at (?P<jvm>[\w.$/<>@-]+)\([^)]*\)"
    r"|#\d+ +(?:0x\w+ in )?(?P<native>[\w:~<>.]+)"
    # A compiler or Go writes its message behind the place: such a line says what, not only where.
    r"|(?:# )?(?P<place>[\w.@~/\\:-]+\.(?:py|pyx|go|rb|php|rs|cs|kt|swift|dart|exs?|[jt]sx?|[cm]js|c|cpp)):"
    r"\d+(?::\d+)?(?::? ?(?:in [`']?(?P<place_in>[\w.<>]+).*|[\w.]*))?$"
)
TEST_PLACE = re.compile(r"(?:^|[._-])(?i:tests?|specs?)(?:[._-]|$)|(?:Tests?|Spec|IT)(?:\.|$)")
ASSERTS = re.compile(r"(?i)assert|expected|mismatch|should|ComparisonFailure")
FOREIGN = re.compile(
    r"node:|(?:^|/)internal/|node_modules|site-packages|dist-packages|/lib/python\d|importlib|/gems/"
    r"|/vendor/|/usr/|"
    r"^(?:java|javax|jdk|sun|com\.sun|kotlin|scala|groovy|org\.(?:junit|testng|gradle|apache\.maven"
    r"|hamcrest|assertj|"
    r"mockito|opentest4j|codehaus|springframework|hibernate)|System|Microsoft|Xunit|NUnit|testing"
    r"|runtime)[./]"
)


def signature(*, kind: str, message: str, text: str) -> Signature:
    """Return the Signature of a failure of exception type `kind`."""
    lines = _lines(message) + _lines(_bounded(text))
    said = _said(lines)
    parts = [masked(kind.strip())] if kind.strip() else []
    parts += said
    if not any(map(_is_about_the_machine, said)):
        parts += _frames(lines, with_tests=any(map(_asserts, parts)))
    return _of_parts(tuple(parts))


@lru_cache(maxsize=MOST_TITLES)
def _of_parts(parts: Sequence[str]) -> Signature:
    title = "\n".join(dict.fromkeys(parts))[:TITLE_LENGTH] or "no message"
    tagged = f"{SIGNATURE_VERSION}\n{title}".encode()
    return Signature(hashlib.sha256(tagged).digest()[:16], SIGNATURE_VERSION, title)


def masked(line: str) -> str:
    """Return the line with what differs from run to run replaced by names in angle brackets."""
    line = line[:LINE_LENGTH]
    zeros = _with_zeros(line)
    found = _masked(zeros)
    return found if zeros is line or not DIGIT.search(found) else _masked(line)


@lru_cache(maxsize=MOST_REMEMBERED)  # frames and many messages are the same from failure to failure
def _masked(line: str) -> str:
    line = CODES.sub(lambda code: code[0].translate(HIDE), line)
    for pattern, mask in MASKS:
        line = pattern.sub(mask, line)
    return line.translate(SHOW).strip()


def _with_zeros(line: str) -> str:
    """Return the line with each digit a zero, unless a rule asks which it is.

    Messages differ in their numbers mostly: what is found in one so is known for all, as far as no digit is part of it.
    """
    zeros = line.translate(ZEROS)
    return line if zeros == line or TELLING_DIGITS.search(line) else zeros


def are_alike(one: str, other: str) -> bool:
    """True when two titles of one test differ in at most a tenth of their characters (the nightly merge)."""
    limit = max(len(one), len(other)) // 10
    return one == other or _distance_within(one, other, limit=limit)


def _bounded(text: str) -> str:
    if len(text) <= TEXT_HEAD + TEXT_TAIL:
        return text
    return f"{text[:TEXT_HEAD]}\n{text[-TEXT_TAIL:]}"


def _lines(text: str) -> list[str]:
    if not text.replace("\n", "").isprintable():
        text = ANSI.sub("", text.replace("\r\n", "\n").replace("\t", " "))
    return [line for raw in text.split("\n") if (line := raw.strip(" \u00a0"))]


def _said(lines: list[str]) -> list[str]:
    """The lines that say what went wrong, masked: those that name an error, else those that speak of one."""
    pytest = [line[1:].strip() for line in lines if line.startswith("E  ") and PYTEST.match(line)]
    told = pytest or [line for line in lines if not _is_noise(line)]
    named = [line for line in told if NAMES_ERROR.search(line)]
    if named:
        return _first_distinct(named, limit=NAMED_LINES)
    worded = [line for line in told if SAYS_WHAT.search(line)]
    last_resort = [line for line in lines if EXIT.match(line)]
    return _first_distinct(worded or told or last_resort, limit=WORDED_LINES)


def _is_noise(line: str) -> bool:
    return _was_noise(line) if len(line) <= LINE_LENGTH else _is_noisy(line)


def _is_noisy(line: str) -> bool:
    return NOISE.match(line) is not None or FRAME.match(line) is not None


_was_noise = lru_cache(maxsize=MOST_REMEMBERED)(_is_noisy)


def _first_distinct(lines: Iterable[str], *, limit: int) -> list[str]:
    found: dict[str, None] = {}
    for line in lines:
        found.setdefault(masked(line))
        if len(found) == limit:
            break
    return [line for line in found if line]


@lru_cache(maxsize=MOST_REMEMBERED)
def _is_about_the_machine(line: str) -> bool:
    return MACHINE.search(line) is not None


@lru_cache(maxsize=MOST_REMEMBERED)
def _asserts(part: str) -> bool:
    return ASSERTS.search(part) is not None


def _frames(lines: Iterable[str], *, with_tests: bool) -> list[str]:
    """Up to three places of the project's own code, without line numbers.

    A test's own file belongs to the identity of an assertion, which says nothing without its place; an error
    that the code raises is the same error whichever test met it.
    """
    found: dict[str, None] = {}
    for line in lines:
        place = (
            _frame(line, with_tests=with_tests)
            if len(line) <= LINE_LENGTH
            else _read_frame(line, with_tests=with_tests)
        )
        if place:
            found.setdefault(place)
            if len(found) == FRAMES:
                break
    return list(found)


def _read_frame(line: str, *, with_tests: bool) -> str | None:
    match = FRAME.match(line)
    return _place(match, with_tests=with_tests) if match else None


_frame = lru_cache(maxsize=MOST_REMEMBERED)(_read_frame)


def _place(match: re.Match[str], *, with_tests: bool) -> str | None:
    group = match.groupdict()
    path = group["python"] or group["js"] or group["bare"] or group["place"]
    name = group["python_in"] or group["js_in"] or group["place_in"] or group["jvm"] or group["native"]
    if FOREIGN.search(path or name or ""):
        return None
    file = re.split(r"[\\/]", path)[-1] if path else ""
    if not with_tests and TEST_PLACE.search(file or name or ""):
        return None
    return masked(f"at {name} ({file})" if name and file else f"at {name or file}")


def _distance_within(one: str, other: str, *, limit: int) -> bool:
    """True when `limit` edits turn one text into the other (Ukkonen's band)."""
    if abs(len(one) - len(other)) > limit:
        return False
    far = limit + 1
    row = [min(j, far) for j in range(len(other) + 1)]
    for i, a in enumerate(one, 1):
        first, last = max(1, i - limit), min(len(other), i + limit)
        above = row[first - 1]
        row[first - 1] = i if first == 1 and i <= limit else far
        for j in range(first, last + 1):
            removed = row[j] + 1 if j < i + limit else far
            above, row[j] = row[j], min(above + (a != other[j - 1]), row[j - 1] + 1, removed)
        if min(row[first - 1 : last + 1]) > limit:
            return False
    return row[-1] <= limit
