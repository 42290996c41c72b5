"""What happens to the demo project: regressions, an outage, flaky failures, reruns, broken reports.

Turns runs into deliveries, each an upload with its fields and reports. How a report is written is left to
reports.py, how it is sent to the sender.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from random import Random

from ingest.demo import failures
from ingest.demo.failures import Worded
from ingest.demo.flaky import LINUX, WINDOWS, Circumstances, Flaky, flaky_tests
from ingest.demo.runs import DemoRun, Job, runs
from ingest.demo.suite import DemoTest, Group, dice, test_named, tests_on
from ingest.demo.wording import Wording

TAX_BREAKS_ON_DAY, TAX_BROKEN_PUSHES = 52, 4
CHECKOUT_BREAKS_ON_DAY, CHECKOUT_BROKEN_PUSHES = 77, 3
STANDING_BROKEN_FROM_DAY = 81  # and to the end: nobody mends it
OUTAGE_ON_DAY = 73
MALFORMED_ON_DAY = 59  # a log sent in the place of a report
TRUNCATED_ON_DAY = 83
MISSING_SHARD_ON_DAY = 79
SLOW_RUNNER_ON_DAY, SLOW_RUNNER_PACE = 40, 1.7

N_SHARDS = 2
N_TRIES = {Group.JAVA_UNIT: 3, Group.JAVA_INTEGRATION: 3, Group.E2E: 3}  # the others try once
RETRY_FAILS = 0.2
PREDECESSOR_RUNS_LAST = 0.7
RERUN_AFTER_MINUTES = 35
AGAIN_BY_DAY, AGAIN_BY_NIGHT = 0.75, 0.2
GROUPS = {
    Job.BACKEND: (Group.BACKEND_UNIT, Group.BACKEND_INTEGRATION, Group.RUFF),
    Job.PAYMENTS: (Group.JAVA_UNIT, Group.JAVA_INTEGRATION),
    Job.FRONTEND: (Group.FRONTEND, Group.ESLINT),
    Job.WINDOWS: (Group.WINDOWS,),
    Job.E2E: (Group.E2E,),
    Job.LOAD: (Group.LOAD,),
}
CODEOWNERS = """\
/tests/unit/         @webshop/shop
/tests/integration/  @webshop/platform
/src/                @webshop/web
/frontend/           @webshop/web
/com/                @webshop/payments
*.spec.ts            @webshop/web @webshop/quality
"""


class Damage(Enum):
    """What a job's report suffered before it was sent."""

    TRUNCATED = "truncated"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Tries:
    """What a test did that did not simply pass: its failing tries, and whether it passed in the end."""

    wordings: tuple[Wording, ...]
    passes_at_last: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """One group of tests as it ran once; a producer writes it into one or more files."""

    group: Group
    day: int
    started_at: datetime
    pace: float
    noise: int
    failing: Mapping[DemoTest, Tries]
    shard: int = 0
    run_last: DemoTest | None = None
    damage: Damage | None = None

    @property
    def tests(self) -> tuple[DemoTest, ...]:
        """Return the tests in the order in which they ran."""
        tests = shard_of(self.group, self.day, self.shard) if self.shard else tests_on(self.group, self.day)
        if self.run_last is None:
            return tests
        return (*(test for test in tests if test is not self.run_last), self.run_last)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One upload: the run it belongs to and the reports it carries."""

    run: DemoRun
    job: Job
    attempt: int
    environment: str
    started_at: datetime
    reports: tuple[Report, ...]
    shard: int = 0

    def n_failed(self, *, besides: set[DemoTest]) -> int:
        """Count the tests that failed to the last, besides those that everybody knows of."""
        tries = (item for report in self.reports for item in report.failing.items())
        return sum(1 for test, how in tries if not how.passes_at_last and test not in besides)

    @property
    def fields(self) -> dict[str, str]:
        """Return the fields of the upload API."""
        fields = {
            "branch": self.run.branch,
            "commit": self.run.commit,
            "run": self.run.key,
            "attempt": str(self.attempt),
            "job": self.job.value,
            "environment": self.environment,
            "url": f"https://ci.webshop.example/runs/{self.run.number}",
            "started_at": self.started_at.isoformat(timespec="seconds"),
        }
        if self.shard:
            fields |= {"shard": str(self.shard), "shard_total": str(N_SHARDS)}
        if self.run.pull_request:
            fields["pull_request"] = str(self.run.pull_request)
        if self.job is Job.LOAD:
            fields["layer"] = "load"
        if self.job is Job.BACKEND and self.run.is_main:
            fields["codeowners"] = CODEOWNERS
        return fields


@cache
def shard_of(group: Group, day: int, shard: int) -> tuple[DemoTest, ...]:
    """Return one shard's tests; whole files stay together, as Playwright's --shard does."""
    tests = tests_on(group, day)
    files = sorted({test.file for test in tests})
    mine = set(files[shard - 1 :: N_SHARDS])
    return tuple(test for test in tests if test.file in mine)


def deliveries(now: datetime) -> tuple[Delivery, ...]:
    """Return every upload of the ninety days before `now`, in the order in which CI sent them."""
    all_runs = runs(now)
    story = Story(all_runs)
    return tuple(delivery for run in all_runs for delivery in story.of_run(run))


class Story:
    """The events, tied to the pushes and runs they happened in."""

    def __init__(self, all_runs: tuple[DemoRun, ...]) -> None:
        pushes = [run for run in all_runs if run.is_main and not run.is_nightly]
        self.tax_broken = _pushes_from(pushes, TAX_BREAKS_ON_DAY, n_pushes=TAX_BROKEN_PUSHES)
        self.checkout_broken = _pushes_from(pushes, CHECKOUT_BREAKS_ON_DAY, n_pushes=CHECKOUT_BROKEN_PUSHES)
        self.outage = _run_from(pushes, OUTAGE_ON_DAY)
        self.malformed = _run_from(pushes, MALFORMED_ON_DAY)
        self.truncated = _run_from(pushes, TRUNCATED_ON_DAY)
        self.missing_shard = _run_from(pushes, MISSING_SHARD_ON_DAY)
        self.slow_runner = _run_from(pushes, SLOW_RUNNER_ON_DAY)

    def of_run(self, run: DemoRun) -> Iterator[Delivery]:
        """Yield the uploads of the run: every job, and once more the jobs that somebody started again."""
        again = []
        for job in run.jobs:
            first = tuple(self._of_job(run, job, attempt=1))
            yield from first
            if self._is_started_again(run, job, first):
                again.append(job)
        for job in again:
            yield from self._of_job(run, job, attempt=2)

    def _of_job(self, run: DemoRun, job: Job, *, attempt: int) -> Iterator[Delivery]:
        environment = WINDOWS if job is Job.WINDOWS else LINUX
        started_at = run.started_at + timedelta(minutes=RERUN_AFTER_MINUTES * (attempt - 1))
        for shard in range(1, N_SHARDS + 1) if job is Job.E2E else (0,):
            if shard == N_SHARDS and run.number == self.missing_shard:
                continue  # the runner died and took its report with it
            damage = self._damage(run, job, attempt=attempt)
            groups = GROUPS[job][:1] if damage is Damage.MALFORMED else GROUPS[job]
            reports = tuple(
                self._report(run, group, shard=shard, attempt=attempt, environment=environment, damage=damage)
                for group in groups
            )
            yield Delivery(run, job, attempt, environment, started_at, reports, shard)

    def _damage(self, run: DemoRun, job: Job, *, attempt: int) -> Damage | None:
        if job is not Job.FRONTEND or attempt > 1:
            return None
        return {self.truncated: Damage.TRUNCATED, self.malformed: Damage.MALFORMED}.get(run.number)

    def _is_started_again(self, run: DemoRun, job: Job, sent: tuple[Delivery, ...]) -> bool:
        """Decide if somebody runs the job again: always after an outage, often by day, seldom the nightly."""
        if run.number == self.outage and job is Job.BACKEND:
            return True
        if self._damage(run, job, attempt=1) is Damage.MALFORMED:
            return True
        understood = set(self._broken(run, attempt=1))
        for group in GROUPS[job]:
            understood |= set(_of_this_change(run, group))
        if all(delivery.n_failed(besides=understood) == 0 for delivery in sent):
            return False
        return dice("again", run.number, job).random() < (AGAIN_BY_NIGHT if run.is_nightly else AGAIN_BY_DAY)

    def _report(
        self, run: DemoRun, group: Group, *, shard: int, attempt: int, environment: str, damage: Damage | None
    ) -> Report:
        numbers = dice("report", run.number, group, shard, attempt)
        pace = numbers.uniform(0.96, 1.04) * (SLOW_RUNNER_PACE if run.number == self.slow_runner else 1.0)
        present = set(shard_of(group, run.day, shard) if shard else tests_on(group, run.day))
        predecessor = _predecessor(group) if numbers.random() < PREDECESSOR_RUNS_LAST else None
        now = Circumstances(run.day, run.is_nightly, environment, attempt)
        failing = {
            **_flaky_tries(group, now, numbers, is_in_order=predecessor is None),
            **_of_this_change(run, group),
            **self._broken_tries(run, group, attempt=attempt, numbers=numbers),
        }
        minutes, seconds = RERUN_AFTER_MINUTES * (attempt - 1), numbers.randrange(30, 200)
        return Report(
            group,
            run.day,
            started_at=run.started_at + timedelta(minutes=minutes, seconds=seconds),
            pace=pace,
            noise=numbers.randrange(1 << 30),
            failing={test: tries for test, tries in failing.items() if test in present and not test.skipped},
            shard=shard,
            run_last=predecessor,
            damage=damage if group is Group.FRONTEND else None,
        )

    def _broken_tries(
        self, run: DemoRun, group: Group, *, attempt: int, numbers: Random
    ) -> dict[DemoTest, Tries]:
        """Let what is broken fail in every try that its producer makes."""
        return {
            test: Tries((worded(numbers),) * N_TRIES.get(group, 1))
            for test, worded in self._broken(run, attempt=attempt).items()
            if test.group is group
        }

    def _broken(self, run: DemoRun, *, attempt: int) -> dict[DemoTest, Worded]:
        """Return the tests that fail however often they are tried."""
        broken: dict[DemoTest, Worded] = {}
        if run.day >= STANDING_BROKEN_FROM_DAY:
            broken[test_named(Group.JAVA_UNIT, "refundsForeignCurrencyAtTheOldRate")] = (
                failures.old_rate_missing
            )
        if run.position in self.tax_broken:
            broken |= dict.fromkeys(_tax_tests(), failures.vat_rounded_wrong)
        if run.position in self.checkout_broken:
            pay_button = (test for test in tests_on(Group.FRONTEND, run.day) if test.classname == "PayButton")
            broken |= dict.fromkeys(pay_button, failures.pay_button_missing)
        if run.number == self.outage and attempt == 1:
            broken |= dict.fromkeys(tests_on(Group.BACKEND_INTEGRATION, run.day), failures.database_down)
            broken |= dict.fromkeys(_unit_tests_with_database(run.day), failures.report_without_database)
        return broken


def _predecessor(group: Group) -> DemoTest | None:
    """Return the test that leaves something behind, if the group has one."""
    return next((f.predecessor for f in flaky_tests() if f.predecessor and f.test.group is group), None)


def _flaky_tries(
    group: Group, circumstances: Circumstances, numbers: Random, *, is_in_order: bool
) -> dict[DemoTest, Tries]:
    """Throw the dice for every flaky test of the group, and again for each retry."""
    tries = {}
    for flaky in flaky_tests():
        if flaky.test.group is not group or (flaky.predecessor is not None and not is_in_order):
            continue
        if numbers.random() < flaky.chance_in(circumstances):
            tries[flaky.test] = _tried_again(flaky, numbers)
    return tries


def _tried_again(flaky: Flaky, numbers: Random) -> Tries:
    """Retry as often as the producer does; who has failed once fails the next try more easily."""
    wordings = [flaky.worded(numbers)]
    for _ in range(flaky.n_retries):
        if numbers.random() > RETRY_FAILS:
            return Tries(tuple(wordings), passes_at_last=True)
        wordings.append(flaky.worded(numbers))
    return Tries(tuple(wordings))


def _of_this_change(run: DemoRun, group: Group) -> dict[DemoTest, Tries]:
    """Return what a pull request itself breaks on its first push, or a load test on a bad night."""
    numbers = dice("change", run.branch, run.push, group, run.number if run.is_main else 0)
    if group is Group.LOAD and numbers.random() < 0.15:
        checkout = test_named(Group.LOAD, "http_req_duration{page:checkout} - p(95)<800")
        return {checkout: Tries((failures.too_slow_under_load(numbers),))}
    if run.push != 1:
        return {}
    if group is Group.ESLINT and numbers.random() < 0.2:
        component = numbers.choice(tests_on(group, run.day))
        return {component: Tries((failures.unused_import(numbers),))}
    if group is Group.BACKEND_UNIT and numbers.random() < 0.3:
        file = numbers.choice(tests_on(group, run.day)).file
        mine = [test for test in tests_on(group, run.day) if test.file == file][:6:2]
        return {test: Tries((failures.unfinished_change(test.file),)) for test in mine}
    return {}


def _tax_tests() -> tuple[DemoTest, ...]:
    names = (
        "test_vat_of_a_mixed_basket_is_rounded_per_line",
        "test_vat_of_a_gift_card_is_zero",
        "test_net_and_vat_add_up_to_gross",
    )
    return tuple(test_named(Group.BACKEND_UNIT, name) for name in names)


def _unit_tests_with_database(day: int) -> tuple[DemoTest, ...]:
    return tuple(test for test in tests_on(Group.BACKEND_UNIT, day) if "test_sales_report" in test.file)


def _pushes_from(pushes: list[DemoRun], day: int, *, n_pushes: int) -> range:
    first = next(run.position for run in pushes if run.day >= day)
    return range(first, first + n_pushes)


def _run_from(pushes: list[DemoRun], day: int) -> int:
    return next(run.number for run in pushes if run.day >= day)
