"""When the demo project's pipelines ran: pushes to main, nightly runs and pull requests over ninety days.

Knows dates, commits, branches and jobs; what the tests did in each run is the story's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import Enum

from ingest.demo.suite import DAYS, dice

KEY_PREFIX = "webshop-"  # tells the demo's runs from those that somebody tries out beside them
FIRST_NUMBER = 4100  # the project is older than its history here
SATURDAY = 5
NIGHTLY_AT = time(23, 50)  # its unit tests are under way at midnight
LOAD_WEEKDAYS = (1, 4)
WINDOWS_WEEKDAYS = (0, 2, 4)


class Job(Enum):
    """A job of the pipeline; each sends its own upload, Playwright's one for each of two shards."""

    BACKEND = "backend"
    PAYMENTS = "payments"
    FRONTEND = "frontend"
    WINDOWS = "frontend-windows"
    E2E = "e2e"
    LOAD = "load"


@dataclass(frozen=True, slots=True)
class DemoRun:
    """One pipeline: what it was started for, and which jobs it has."""

    started_at: datetime
    day: int  # of the code it ran, 0 to 89
    position: int  # how many pushes to main its code contains
    branch: str
    jobs: tuple[Job, ...]
    number: int = 0
    pull_request: int = 0
    push: int = 0  # the how-manieth of a pull request
    is_nightly: bool = False

    @property
    def key(self) -> str:
        """Return what joins the uploads of the run."""
        return f"{KEY_PREFIX}{self.number}"

    @property
    def commit(self) -> str:
        """Return the commit; the nightly run has that of the last push."""
        place = (self.branch, self.push) if self.pull_request else ("main", self.position)
        return dice("commit", *place).randbytes(20).hex()

    @property
    def is_main(self) -> bool:
        """True on the default branch."""
        return not self.pull_request


def runs(now: datetime) -> tuple[DemoRun, ...]:
    """Return the runs of the ninety days before `now`, oldest first."""
    first_day = now.date() - timedelta(days=DAYS - 1)
    on_main = list(_on_main(first_day, now=now))
    everything = [*on_main, *_of_pull_requests(first_day, now=now, on_main=on_main)]
    everything.sort(key=lambda run: (run.started_at, run.branch))
    return tuple(replace(run, number=FIRST_NUMBER + n) for n, run in enumerate(everything))


def _on_main(first_day: date, *, now: datetime) -> Iterator[DemoRun]:
    """Yield pushes and nightly runs, several a weekday and few at the weekend."""
    position = 0
    for day in range(DAYS):
        on = first_day + timedelta(days=day)
        for started_at in _pushes_on(on, now=now):
            if not _is_over(started_at, now=now):
                return
            position += 1
            jobs = (Job.BACKEND, *_payments_too(position), Job.FRONTEND, *_e2e_too(position))
            yield DemoRun(started_at, day, position, "main", jobs)
        nightly_at = datetime.combine(on, NIGHTLY_AT, now.tzinfo)
        if on.weekday() == SATURDAY or position == 0 or not _is_over(nightly_at, now=now):
            continue
        windows = (Job.WINDOWS,) if on.weekday() in WINDOWS_WEEKDAYS else ()
        load = (Job.LOAD,) if on.weekday() in LOAD_WEEKDAYS else ()
        jobs = (Job.BACKEND, Job.PAYMENTS, Job.FRONTEND, *windows, Job.E2E, *load)
        yield DemoRun(nightly_at, day, position, "main", jobs, is_nightly=True)


def _is_over(started_at: datetime, *, now: datetime) -> bool:
    return started_at < now - timedelta(minutes=30)


def _pushes_on(on: date, *, now: datetime) -> list[datetime]:
    """Return the times of the day's pushes to main."""
    numbers = dice("pushes", on.toordinal())
    n_pushes = numbers.choice((1, 2, 2, 2, 3)) if on.weekday() < SATURDAY else numbers.choice((0, 0, 1))
    minutes = sorted(numbers.sample(range(8 * 60, 18 * 60, 7), n_pushes))
    midnight = datetime.combine(on, time(), now.tzinfo)
    return [midnight + timedelta(minutes=minute, seconds=numbers.randrange(60)) for minute in minutes]


def _payments_too(position: int) -> tuple[Job, ...]:
    """The payment service is built when its folder changed, and every night."""
    return (Job.PAYMENTS,) if dice("payments", position).random() < 0.2 else ()


def _e2e_too(position: int) -> tuple[Job, ...]:
    """The end-to-end tests are dear: they run after every second push, and every night."""
    return (Job.E2E,) if position % 2 else ()


TOPICS = (
    "gift-wrapping", "faster-facets", "sepa-mandates", "dark-mode", "address-lookup", "vat-oss", "bundles",
    "return-portal", "loyalty-tiers", "cart-merge", "apple-pay", "stock-alerts", "photos", "csv-export",
    "image-cdn", "password-rules", "pick-lists", "guest-tracking",
)  # fmt: skip

JOBS_OF_A_CHANGE = (
    (Job.BACKEND,),
    (Job.FRONTEND,),
    (Job.FRONTEND,),
    (Job.BACKEND, Job.FRONTEND),
    (Job.PAYMENTS,),
)


def _of_pull_requests(first_day: date, *, now: datetime, on_main: list[DemoRun]) -> Iterator[DemoRun]:
    """Yield the runs of pull requests: a topic, one to four pushes, only the jobs that the change touches."""
    for opened_on_day in range(1, DAYS):
        on = first_day + timedelta(days=opened_on_day)
        if on.weekday() >= SATURDAY:
            continue
        numbers = dice("pull request", on.toordinal())
        number = 900 + opened_on_day
        topic = f"{numbers.choice(('feature', 'fix', 'chore'))}/{numbers.choice(TOPICS)}-{number}"
        jobs = numbers.choice(JOBS_OF_A_CHANGE)
        started_at = datetime.combine(on, time(9), now.tzinfo) + timedelta(minutes=numbers.randrange(360))
        for push in range(1, numbers.choice((1, 1, 2, 2, 3)) + 1):
            base = _latest(on_main, before=started_at)
            if base is None or not _is_over(started_at, now=now):
                break
            run = DemoRun(started_at, base.day, base.position, topic, jobs, pull_request=number, push=push)
            yield run
            started_at += timedelta(minutes=numbers.randrange(25, 400))


def _latest(on_main: list[DemoRun], *, before: datetime) -> DemoRun | None:
    earlier = [run for run in on_main if run.started_at < before and not run.is_nightly]
    return earlier[-1] if earlier else None
