"""The words of the product as plain enums: what a thing may be, and how it is spelt.

Knows nothing of rows, pages or settings. The numbers are what the database stores, so they never change meaning.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Self


class Word(IntEnum):
    """A member is stored as its number and spoken as its word."""

    @property
    def word(self) -> str:
        """Spell the member as URLs, the API and the pages do."""
        return self.name.lower().replace("_", "-")

    @classmethod
    def from_word(cls, word: str) -> Self:
        """Return the member spelt `word`; raise ValueError for a word that is none."""
        for member in cls:
            if member.word == word:
                return member
        known = ", ".join(member.word for member in cls)
        raise ValueError(f"{word!r} is none of {known}")


def choices(words: type[Word]) -> list[tuple[int, str]]:
    """Return the members of an enum as Django wants choices: (stored number, word)."""
    return [(member.value, member.word) for member in words]


class Outcome(Word):
    """How one Test ended in one Run."""

    PASSED = 1
    FAILED = 2
    ERROR = 3
    SKIPPED = 4

    @property
    def is_bad(self) -> bool:
        """True for failed and error: the outcomes that turn a build red."""
        return self in (Outcome.FAILED, Outcome.ERROR)


class Layer(Word):
    """Where a Test sits in the suite; LOAD stands outside the shape."""

    UNKNOWN = 0
    STATIC = 1
    UNIT = 2
    INTEGRATION = 3
    E2E = 4
    LOAD = 5


class RenameState(Word):
    """What became of a guess that a Test goes on under another name."""

    PROPOSED = 1
    APPLIED = 2
    UNDONE = 3
    ENDED = 4


class TimingBucket(Word):
    """How the median duration of a Test compares with the limits of its layer."""

    UNTIMED = 0
    FAST = 1
    ACCEPTABLE = 2
    SLOW = 3


class EvidenceKind(Word):
    """What kind of thing speaks for a layer, strongest first."""

    RULE = 1
    SENT = 2
    PROPERTY = 3
    MARKER = 4
    PATH = 5
    FRAMEWORK = 6
    NAME = 7
    DURATION = 8


class RuleField(Word):
    """The part of a Test that a LayerRule looks at."""

    PATH = 1
    SUITE = 2
    CLASSNAME = 3
    NAME = 4
    PROPERTY = 5
    MARKER = 6
    ENVIRONMENT = 7


class RuleSyntax(Word):
    """How the pattern of a LayerRule is written."""

    GLOB = 1
    REGEX = 2


class UploadState(Word):
    """Where an Upload stands; REJECTED is the sender's fault, FAILED is ours."""

    RECEIVED = 1
    PROCESSING = 2
    DONE = 3
    REJECTED = 4
    FAILED = 5


WAITING = (UploadState.RECEIVED, UploadState.PROCESSING)  # for a worker, or to be done by one


class ProblemLevel(Word):
    """Whether a Problem cost the whole upload or only a part of it."""

    WARNING = 1
    ERROR = 2


class Role(Word):
    """What a Member may do: look; change rules, targets and tests; change tokens and members."""

    VIEWER = 1
    EDITOR = 2
    OWNER = 3


class FlakeStatus(Word):
    """The verdict on a Test's reliability."""

    HEALTHY = 0
    SUSPECTED = 1
    FLAKY = 2
    BROKEN = 3
    FIXED = 4
    STALE = 5
    ENVIRONMENT_SPECIFIC = 6


FLAKY_NOW = (FlakeStatus.FLAKY, FlakeStatus.ENVIRONMENT_SPECIFIC)


class FlakeRule(Word):
    """Which observation proves a Flake."""

    RETRY = 1
    SAME_COMMIT = 2
    EPISODE = 3


class Boundary(Word):
    """The seam a failure broke at."""

    NONE_FOUND = 0
    VALIDATION = 1
    DATABASE = 2
    AUTHENTICATION = 3
    QUEUE = 4
    SERIALIZATION = 5
    EXTERNAL_SERVICE = 6
    NETWORK = 7
    FILE_SYSTEM = 8
    BROWSER = 9


class Cause(Word):
    """The likely reason that a Test is flaky."""

    NOT_ENOUGH_EVIDENCE = 0
    TIMING = 1
    SHARED_STATE = 2
    TIME_AND_DATE = 3
    RANDOMNESS = 4
    EXTERNAL_SERVICE = 5
    ENVIRONMENT = 6
    RESOURCE = 7


class TargetKind(Word):
    """The shape that a team wants."""

    PYRAMID = 1
    TROPHY = 2
    DIAMOND = 3
    CUSTOM = 4


class Blame(Word):
    """What a failure of a Run most likely is, told where the build is red."""

    KNOWN_FLAKY = 1
    FAILING_BEFORE = 2
    LIKELY_FLAKY = 3
    LIKELY_YOURS = 4


class EventKind(Word):
    """What is told outside the pages when it happens; TRIAL is what the button of a channel sends."""

    TRIAL = 0
    FLAKY = 1
    BROKEN = 2
    FIXED = 3
    BUDGET = 4
    SHAPE = 5
    UPLOADS_STOPPED = 6
    UPLOADS_REFUSED = 7
    OUTAGE = 8


class ChannelKind(Word):
    """Where events are told."""

    MAIL = 1
    SLACK = 2
    TEAMS = 3
    WEBHOOK = 4
