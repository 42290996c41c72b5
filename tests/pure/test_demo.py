"""The demo's story keeps its promises: its size, its events, and reports as their producers write them."""

from __future__ import annotations

import gzip
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import pytest
from lxml import etree

from ingest import junit
from ingest.demo import story, suite
from ingest.demo.flaky import FIXED_ON_DAY, flaky_tests
from ingest.demo.reports import files
from ingest.demo.runs import Job
from ingest.demo.sender import Sender, SendingFailed, multipart
from ingest.demo.story import Damage, Delivery, Report, deliveries
from ingest.demo.suite import DAYS, MOVED_ON_DAY, DemoTest, Group, all_of

NOW = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)  # a Saturday
OTHER_TIMES = [
    NOW + timedelta(days=n, hours=5 * n) for n in range(1, 8)
]  # every weekday, by day and by night

EVERY_TEST = tuple(test for group in Group for test in all_of(group))
UNITS = (Group.BACKEND_UNIT, Group.JAVA_UNIT, Group.FRONTEND)
INTEGRATIONS = (Group.BACKEND_INTEGRATION, Group.JAVA_INTEGRATION)


@cache
def history() -> tuple[Delivery, ...]:
    return deliveries(NOW)


def reports() -> Iterator[tuple[Delivery, Report]]:
    for delivery in history():
        for report in delivery.reports:
            yield delivery, report


def failing_deliveries(test: DemoTest) -> list[Delivery]:
    return [delivery for delivery, report in reports() if test in report.failing]


def count_on(day: int, groups: tuple[Group, ...]) -> int:
    return sum(len(suite.tests_on(group, day)) for group in groups)


def seconds_on(day: int, groups: tuple[Group, ...]) -> float:
    return sum(
        test.seconds_on(day) for group in groups for test in suite.tests_on(group, day) if not test.skipped
    )


@pytest.mark.parametrize("now", [NOW, *OTHER_TIMES])
def test_ninety_days_hold_over_300_runs_and_all_events_whenever_the_demo_begins(now: datetime) -> None:
    sent = deliveries(now)

    runs = {delivery.run.key: delivery.run for delivery in sent}
    assert len(runs) > 300
    assert len(sent) < 1_400
    assert max(run.started_at for run in runs.values()) < now
    assert now - min(run.started_at for run in runs.values()) < timedelta(days=DAYS + 1)
    assert {report.damage for delivery in sent for report in delivery.reports} == {None, *Damage}


def test_the_story_is_the_same_each_time_it_is_told() -> None:
    again = deliveries(NOW)

    assert [multipart(delivery) for delivery in again[:40]] == [multipart(d) for d in history()[:40]]
    assert [delivery.fields for delivery in again] == [delivery.fields for delivery in history()]


def test_no_two_deliveries_are_the_same() -> None:
    places = Counter((d.run.key, d.job, d.shard, d.attempt) for d in history())

    assert max(places.values()) == 1


def test_main_runs_several_times_a_weekday_and_less_at_the_weekend() -> None:
    days = Counter(run.started_at.date() for run in {d.run for d in history() if d.run.is_main})

    weekdays = [n for day, n in days.items() if day.weekday() < 5]
    weekends = [n for day, n in days.items() if day.weekday() >= 5]
    assert sum(weekdays) / len(weekdays) > 2
    assert sum(weekends) / len(weekends) < 2


def test_a_nightly_run_repeats_the_commit_of_the_last_push() -> None:
    runs = sorted({d.run for d in history() if d.run.is_main}, key=lambda run: run.started_at)

    pairs = [(before, run) for before, run in pairwise(runs) if run.is_nightly]
    assert len(pairs) > 60
    assert all(before.commit == run.commit for before, run in pairs)


def test_the_suite_has_at_least_1500_tests_of_distinct_identity() -> None:
    identities = Counter((test.group, test.file, test.classname, test.name) for test in EVERY_TEST)

    assert all(count_on(day, tuple(Group)) > 1_500 for day in range(DAYS))
    assert max(identities.values()) == 1


def test_the_suite_is_a_pyramid_by_count_and_a_cone_by_time() -> None:
    last = DAYS - 1
    shape = [count_on(last, groups) for groups in (UNITS, INTEGRATIONS, (Group.E2E,))]
    seconds = [seconds_on(last, groups) for groups in (UNITS, INTEGRATIONS, (Group.E2E,))]

    shares = [n / sum(shape) for n in shape]
    assert 0.70 < shares[0] < 0.80
    assert 0.10 < shares[1] < 0.20
    assert 0.05 < shares[2] < 0.10
    assert seconds[0] < seconds[1] < seconds[2]


def test_e2e_grows_and_integration_nearly_fills_its_five_minutes() -> None:
    last = DAYS - 1

    assert count_on(last, (Group.E2E,)) > 1.7 * count_on(0, (Group.E2E,))
    assert seconds_on(last, (Group.E2E,)) > 1.7 * seconds_on(0, (Group.E2E,))
    assert seconds_on(0, INTEGRATIONS) < 240
    assert 280 < seconds_on(last, INTEGRATIONS) < 300


def test_every_flaky_test_fails_at_least_twice_and_mostly_passes() -> None:
    for flaky in flaky_tests():
        failed = failing_deliveries(flaky.test)

        ran = [delivery for delivery, report in reports() if report.group is flaky.test.group]
        assert 2 <= len(failed) < len(ran) / 4, flaky.cause


def test_the_flaky_causes_are_distinct() -> None:
    causes = [flaky.cause for flaky in flaky_tests()]

    assert 14 <= len(set(causes)) == len(causes)


def test_retried_flakes_pass_in_their_report_and_others_in_a_rerun_of_the_job() -> None:
    retried = {flaky.test for flaky in flaky_tests() if flaky.n_retries}
    in_report = [test for _, r in reports() for test, tries in r.failing.items() if tries.passes_at_last]
    reruns = [delivery for delivery in history() if delivery.attempt == 2]
    firsts = {(d.run.key, d.job, d.shard): d for d in history() if d.attempt == 1}

    assert set(in_report) == retried
    assert len(reruns) > 20
    assert all(
        delivery.run.commit == firsts[delivery.run.key, delivery.job, delivery.shard].run.commit
        for delivery in reruns
    )


def test_the_midnight_flake_fails_in_nightly_runs_alone() -> None:
    failed = failing_deliveries(
        suite.test_named(Group.BACKEND_UNIT, "test_estimate_says_tomorrow_after_cutoff")
    )

    assert len(failed) >= 8
    assert all(delivery.run.is_nightly for delivery in failed)


def test_one_flake_needs_windows() -> None:
    failed = failing_deliveries(suite.test_named(Group.WINDOWS, "writes through to disk"))

    assert {delivery.environment for delivery in failed} == {"windows-2022"}


def test_shared_state_fails_only_right_after_its_predecessor() -> None:
    flaky = next(flaky for flaky in flaky_tests() if flaky.predecessor)

    orders = [
        report.tests for _, report in reports() if flaky.test in report.failing and len(report.failing) < 50
    ]

    assert orders
    assert all(order[order.index(flaky.test) - 1] is flaky.predecessor for order in orders)


def test_the_fixed_flake_is_quiet_for_four_weeks() -> None:
    test = suite.test_named(Group.BACKEND_INTEGRATION, "test_two_baskets_cannot_reserve_the_last_item")

    days = [d.run.day for d in failing_deliveries(test) if d.run.key != outage().run.key]

    assert len(days) > 5
    assert max(days) < FIXED_ON_DAY


def outage() -> Delivery:
    return max(history(), key=lambda delivery: max(len(report.failing) for report in delivery.reports))


def test_two_regressions_break_on_a_commit_and_are_fixed_some_commits_later() -> None:
    names = [
        (Group.BACKEND_UNIT, "test_vat_of_a_gift_card_is_zero"),
        (Group.FRONTEND, "matches its snapshot"),
    ]
    tax = suite.test_named(*names[0])
    button = next(
        t for t in suite.tests_on(Group.FRONTEND, 80) if (t.classname, t.name) == ("PayButton", names[1][1])
    )

    for test in (tax, button):
        positions = {delivery.run.position for delivery in failing_deliveries(test)}
        pushes = [d.run for d in history() if d.run.is_main and d.job in (Job.BACKEND, Job.FRONTEND)]
        assert 3 <= len(positions) <= 4
        assert max(positions) < max(run.position for run in pushes)


def test_one_test_is_broken_to_the_end() -> None:
    test = suite.test_named(Group.JAVA_UNIT, "refundsForeignCurrencyAtTheOldRate")

    last = [report for _, report in reports() if report.group is Group.JAVA_UNIT][-1]

    assert not last.failing[test].passes_at_last


def test_tests_are_slowed_moved_renamed_added_and_removed() -> None:
    slowed = [test for test in EVERY_TEST if test.slowed_on_day < DAYS]
    before = {test.name: test.file for test in suite.tests_on(Group.BACKEND_UNIT, MOVED_ON_DAY - 1)}
    after = {test.name: test.file for test in suite.tests_on(Group.BACKEND_UNIT, MOVED_ON_DAY)}
    first, last = set(suite.tests_on(Group.FRONTEND, 0)), set(suite.tests_on(Group.FRONTEND, DAYS - 1))

    moved = [name for name in before.keys() & after.keys() if before[name] != after[name]]
    assert len(slowed) > 5
    assert slowed[0].seconds_on(DAYS - 1) == 4 * slowed[0].seconds_on(0)
    assert len(moved) > 20
    assert {test.classname for test in first - last} == {"Spinner", "VoiceSearch"}
    assert {test.classname for test in last - first} == {"ProgressRing"}
    assert any("wishlist" in test.file and test.added_on_day for test in EVERY_TEST)


def test_the_outage_fails_about_300_tests_alike_and_the_rerun_passes() -> None:
    run = outage().run
    first, again = [d for d in history() if d.run is run and d.job is Job.BACKEND]

    report = next(report for report in first.reports if report.group is Group.BACKEND_INTEGRATION)
    messages = {tries.wordings[0].message for tries in report.failing.values()}
    assert 270 < len(report.failing) < 330
    assert len(messages) == 1
    assert sum(len(report.failing) for report in again.reports) < 5


def test_one_shard_is_missing() -> None:
    shards = Counter(d.run.key for d in history() if d.job is Job.E2E and d.attempt == 1)

    assert sorted(Counter(shards.values()))[0] == 1
    assert list(shards.values()).count(1) == 1


def test_some_tests_are_misfits_skipped_untimed_and_hard_to_print() -> None:
    tests = suite.tests_on(Group.BACKEND_UNIT, DAYS - 1)
    names = [test.name for test in EVERY_TEST]

    assert sum(1 for test in tests if test.seconds > 1 and "exchange_rates" in test.file) == 5
    assert sum(1 for test in tests if test.seconds > 0.1 and "sales_report" in test.file) == 5
    assert {test.group for test in EVERY_TEST if test.skipped} >= {
        Group.BACKEND_UNIT,
        Group.JAVA_UNIT,
        Group.E2E,
    }
    assert max(map(len, names)) > 400
    assert any("مرحبا" in name for name in names)


def declared(element: etree._Element, of: str) -> int:
    return int(element.get(of) or 0)


@pytest.mark.parametrize("group", list(Group))
def test_reports_are_well_formed_and_declare_what_they_hold(group: Group) -> None:
    mine = [report for _, report in reports() if report.group is group and report.damage is None]

    for report in [*mine[:2], *sorted(mine, key=lambda report: len(report.failing))[-6:]]:
        n_cases = 0
        for _, body in files(report):
            for element in etree.fromstring(body).iter("testsuite"):
                cases = element.findall("testcase")
                n_cases += len(cases)
                n_bad = len(element.findall("testcase/failure")) + len(element.findall("testcase/error"))
                n_tests, n_failures, n_errors = (
                    declared(element, of) for of in ("tests", "failures", "errors")
                )
                assert (len(cases), n_bad) == (n_tests, n_failures + n_errors)
        assert n_cases == len(report.tests)


def test_our_reader_knows_the_producers_and_their_tests_apart() -> None:
    frameworks = set()

    for group in Group:
        report = next(report for _, report in reports() if report.group is group and report.damage is None)
        cases = [case for name, body in files(report) for case in junit.read([body], file_name=name).cases()]
        frameworks |= {case.framework for case in cases}
        assert len({case.fingerprint for case in cases}) == len(cases) == len(report.tests)

    assert frameworks == {"pytest", "surefire", "jest", "playwright", "eslint", "ruff", "k6"}


def test_the_truncated_report_ends_within_a_case_and_the_malformed_one_is_a_log() -> None:
    damaged = {report.damage: report for _, report in reports() if report.damage}

    [(name, cut)] = files(damaged[Damage.TRUNCATED])
    reading = junit.read([cut], file_name=name)
    kept = list(reading.cases())
    [(name, log)] = files(damaged[Damage.MALFORMED])

    assert 100 < len(kept) < len(damaged[Damage.TRUNCATED].tests)
    with pytest.raises(junit.Refused):
        list(junit.read([log], file_name=name).cases())


def test_gzipped_uploads_fit_into_ten_megabytes() -> None:
    sample = history()[::10]

    assert 10 * sum(len(gzip.compress(multipart(delivery), 3)) for delivery in sample) < 10_000_000


class Server(ThreadingHTTPServer):
    """Answers what it is told to, in order, and then 202; keeps what it was sent."""

    def __init__(self, *answers: int) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.answers = list(answers)
        self.bodies: list[bytes] = []


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"])))
        status = self.server.answers.pop(0) if self.server.answers else 202
        if status < 300:
            self.server.bodies.append(body)
        self.send_response(status)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def serving() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def send(some: tuple[Delivery, ...], *, server: Server) -> Sender:
    sender = Sender(some, base_url=f"http://127.0.0.1:{server.server_port}", token="tc_demo")
    sender.start()
    sender.join()
    return sender


def test_every_delivery_arrives_once_though_the_server_asked_to_wait(serving: Server) -> None:
    serving.answers = [503, 202, 503, 200]

    sender = send(history()[:6], server=serving)

    assert sorted(serving.bodies) == sorted(multipart(delivery) for delivery in history()[:6])
    assert (sender.n_sent, sender.n_new) == (6, 5)


def test_a_refusal_ends_the_sending_and_names_the_run(serving: Server) -> None:
    serving.answers = [401] * 3

    sender = send(history()[:6], server=serving)

    with pytest.raises(SendingFailed, match=r"webshop-41.*401"):
        _ = sender.is_busy


def test_the_story_names_its_days_within_the_ninety() -> None:
    days = [getattr(story, name) for name in dir(story) if name.endswith("_ON_DAY")]

    assert all(0 < day < DAYS for day in days)
