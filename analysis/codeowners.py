"""Reads a CODEOWNERS file and says whose a path is, by the rules of GitHub, or of GitLab where the file has sections.

Pure. The last pattern that fits decides; in a file with sections the last of each section, together. What cannot be read is
told with its line and left out, as code hosts do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

LONGEST_LINE = 2_000
MOST_FOLDERS, MOST_STARS = (
    3,
    12,
)  # wildcards of a pattern: with more, a match may take longer than anybody waits
MOST_ERRORS = 50  # told; a file with more is no CODEOWNERS file
SECTION = re.compile(r"\^?\[(?P<name>[^\]]+)\](?:\[\d+\])?(?P<owners>\s.*)?\Z")
OWNER = re.compile(r"@{1,2}[\w.\-/]+\Z|[^@\s]+@[^@\s]+\.[^@\s]+\Z")
WORD = re.compile(r"(?:\\.|[^\s\\])+")
REPEATED = re.compile(r"(?:\*\*/){2,}")
COMMENT = re.compile(r"(?:^|(?<=\s))#.*\Z")


class Unread(NamedTuple):
    """A line that says nothing, and why."""

    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern with its owners; none means that nobody owns what it fits."""

    line: int
    pattern: re.Pattern[str]
    owners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CodeOwners:
    """The rules of a file by section, in their order, and the lines that could not be read."""

    sections: tuple[tuple[Rule, ...], ...]
    unread: tuple[Unread, ...]

    @property
    def n_rules(self) -> int:
        """Count the rules."""
        return sum(map(len, self.sections))

    def owners_of(self, path: str) -> tuple[str, ...]:
        """Return the owners of a path inside the repository, each once."""
        path = path.replace("\\", "/").removeprefix("./").lstrip("/")
        found: dict[str, None] = {}
        for rules in self.sections:
            rule = next((rule for rule in reversed(rules) if rule.pattern.fullmatch(path)), None)
            found |= dict.fromkeys(rule.owners if rule else ())
        return tuple(found)


def read(text: str) -> CodeOwners:
    """Read a file of owners."""
    lines = list(_lines(text))
    has_sections = any(SECTION.match(line) for _, line in lines)
    sections: dict[str, list[Rule]] = {"": []}
    unread: list[Unread] = []
    rules = sections[""]
    default: tuple[str, ...] = ()
    for number, line in lines:
        section = SECTION.match(line) if has_sections else None
        if section is not None:
            rules = sections.setdefault(section["name"].strip().casefold(), [])
            default = _owners(section["owners"] or "", number, unread)
        elif (rule := _rule(line, number, default, unread, has_sections=has_sections)) is not None:
            rules.append(rule)
    return CodeOwners(tuple(map(tuple, sections.values())), tuple(unread[:MOST_ERRORS]))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that are neither empty nor a comment, with their numbers."""
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        said = COMMENT.sub("", line).strip()
        if said:
            yield number, said


def _rule(
    line: str, number: int, default: tuple[str, ...], unread: list[Unread], *, has_sections: bool
) -> Rule | None:
    words = WORD.findall(line)
    why = _wrong(line, words, has_sections=has_sections)
    if why:
        unread.append(Unread(number, why))
        return None
    is_exclusion = words[0].startswith("!")
    owners = () if is_exclusion else _owners(" ".join(words[1:]), number, unread)
    if words[1:] and not owners and not is_exclusion:
        return None  # GitHub ignores a line without one good owner
    pattern = words[0].removeprefix("!")
    return Rule(
        number, _expression(pattern, has_sections=has_sections), owners or _unless(default, is_exclusion)
    )


def _unless(owners: tuple[str, ...], is_exclusion: bool) -> tuple[str, ...]:
    return () if is_exclusion else owners


def _wrong(line: str, words: Sequence[str], *, has_sections: bool) -> str:
    """Say why a line is no rule; "" where it may be one."""
    if len(line) > LONGEST_LINE:
        return f"The line has more than {LONGEST_LINE} characters."
    if not words:
        return "The line ends in a lone backslash."
    if words[0].strip("/*").count("**") > MOST_FOLDERS or words[0].count("*") > MOST_STARS:
        return f"A pattern may have {MOST_STARS} * and {MOST_FOLDERS} ** between its ends."
    if words[0].startswith("!") and not has_sections:
        return "A pattern cannot be negated with !. Give the path a line of its own without owners."
    if re.search(r"(?<!\\)[\[\]]", words[0]) and not has_sections:
        return "A pattern cannot have a range in [ ]. Write a line for each character."
    return ""


def _owners(text: str, number: int, unread: list[Unread]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for word in text.split():
        if OWNER.match(word):
            found[word] = None
        else:
            unread.append(
                Unread(number, f"{word[:100]!r} is no owner: write @name, @group/team or an address.")
            )
    return tuple(found)


def _expression(pattern: str, *, has_sections: bool) -> re.Pattern[str]:
    """Return the regular expression of a pattern, which a whole path must fit.

    GitHub reads patterns as gitignore does, but `docs/*` fits no deeper file. For GitLab a pattern without a leading slash
    fits at any depth, and only one that ends in a slash fits what is below it.
    """
    inner = REPEATED.sub("**/", pattern).rstrip("/")
    is_folder = pattern.endswith("/")
    is_anchored = inner.startswith("/") or (not has_sections and "/" in inner)
    body = _segments(inner.removeprefix("/"))
    start = "" if is_anchored else "(?:.*/)?"
    if is_folder:
        end = "/.*" if body else ".*"
    elif has_sections or inner.endswith(("/*", "**")):
        end = ""
    else:
        end = "(?:/.*)?"
    if inner == "*":
        return re.compile(".*", re.DOTALL)
    return re.compile(start + body + end, re.DOTALL)


def _segments(pattern: str) -> str:
    """Translate what stands between the ends of a pattern."""
    found: list[str] = []
    at = 0
    while at < len(pattern):
        if pattern.startswith("**/", at) and (not at or pattern[at - 1] == "/"):
            found.append("(?:.*/)?")
            at += 3
        elif pattern.startswith("**", at):
            found.append(".*")
            at += 2
        else:
            one = pattern[at]
            if one == "\\" and at + 1 < len(pattern):
                at += 1
                found.append(re.escape(pattern[at]))
            else:
                found.append({"*": "[^/]*", "?": "[^/]"}.get(one) or re.escape(one))
            at += 1
    return "".join(found)


def path_of(*, file: str, classname: str, framework: str) -> str:
    """Return the path of a test's file in the repository, as well as its report tells it; "" where nothing does.

    A file made of a Java class's name lacks the folder of sources, which nearly all builds call the same.
    """
    path = file.partition("::")[0]
    is_made = framework in JVM and path.removesuffix(".java") == classname.partition("$")[0].replace(".", "/")
    return f"{JAVA_SOURCES}{path}" if path and is_made else path


JVM = frozenset({"surefire", "gradle", "junit5", "testng"})
JAVA_SOURCES = "src/test/java/"
