"""What the lists beside a page's own can be sorted by, each under its name in the URL: `&sort-slower=-added`.

A list's own order, the one without a word in the URL, is that in which its rows come.
"""

from __future__ import annotations

from analysis.answers.of_tests import OwnedTests, ReasonRow
from analysis.answers.of_time import Growth, Misfit, ShiftRow, TimedTest
from analysis.answers.of_uploads import ProblemGroup, ProblemRow
from analysis.compared import ComparedTest
from dashboard.listing import Order
from dashboard.verdicts import TargetFit
from projects.models import ChannelDelivery, Letter, Membership, Token, Trust
from projects.vocabulary import Outcome

WORST_FIRST = (Outcome.FAILED, Outcome.ERROR, Outcome.PASSED, Outcome.SKIPPED)


def _place(outcome: Outcome | None) -> int | None:
    return None if outcome is None else WORST_FIRST.index(outcome)


def _change(row: ComparedTest) -> float | None:
    return None if row.earlier_s is None or row.later_s is None else row.later_s - row.earlier_s


SLOWER: Order[ShiftRow] = Order(
    {
        "name": lambda row: row.title.lower(),
        "layer": lambda row: row.layer,
        "since": lambda row: row.run_number,
        "change": lambda row: row.since_s / row.before_s if row.before_s else None,
        "added": lambda row: row.added_s,
    }
)
MISFITS: Order[Misfit] = Order(
    {
        "name": lambda row: row.test.title.lower(),
        "layer": lambda row: row.looks_like,
        "median": lambda row: row.median_s,
        "total": lambda row: row.test.seconds,
    }
)
GROWTH: Order[Growth] = Order(
    {
        "run": lambda row: row.run_number,
        "more": lambda row: row.seconds,
        "tests": lambda row: row.n_new + row.n_slower + row.n_faster,
    }
)
MOVES: Order[TimedTest] = Order({"name": lambda row: row.title.lower(), "time": lambda row: row.seconds})
REASONS: Order[ReasonRow] = Order(
    {
        "name": lambda row: row.title.lower(),
        "boundary": lambda row: (row.boundary.word, row.matched),
        "rate": lambda row: row.rate,
        "seen": lambda row: row.n,
    }
)
COMPARED: Order[ComparedTest] = Order(
    {
        "name": lambda row: row.title.lower(),
        "layer": lambda row: row.layer,
        "earlier": lambda row: _place(row.earlier),
        "later": lambda row: _place(row.later),
        "time": lambda row: row.later_s if row.later else row.earlier_s,
        "change": _change,
    }
)
GROUPS: Order[ProblemGroup] = Order(
    {
        "name": lambda row: row.code,
        "times": lambda row: row.n,
        "uploads": lambda row: row.n_uploads,
        "last": lambda row: row.examples[0].at,
    }
)
PROBLEMS: Order[ProblemRow] = Order(
    {
        "name": lambda row: (row.code, row.sentence),
        "file": lambda row: row.file or None,
        "line": lambda row: row.line,
    }
)
FITS: Order[TargetFit] = Order({"name": lambda row: row.name, "fit": lambda row: row.fit})
TOKENS: Order[Token] = Order(
    {
        "name": lambda row: row.name.lower(),
        "created": lambda row: row.created_at,
        "used": lambda row: row.last_used_at,
    }
)
MEMBERS: Order[Membership] = Order(
    {
        "name": lambda row: row.user.get_username().lower(),
        "email": lambda row: row.user.email.lower(),
        "role": lambda row: row.role,
    }
)
OWNERS: Order[OwnedTests] = Order(
    {
        "name": lambda row: row.owner.lower(),
        "tests": lambda row: row.n_tests,
        "unwell": lambda row: row.n_unwell,
    }
)
LETTERS: Order[Letter] = Order({"week": lambda row: row.week_on, "name": lambda row: row.subject.lower()})
SENT: Order[ChannelDelivery] = Order(
    {
        "when": lambda row: row.created_at,
        "channel": lambda row: row.channel.name.lower(),
        "name": lambda row: row.subject.lower(),
    }
)
TRUSTS: Order[Trust] = Order(
    {
        "name": lambda row: row.repository.lower(),
        "by": lambda row: row.issuer,
        "used": lambda row: row.last_used_at,
    }
)
