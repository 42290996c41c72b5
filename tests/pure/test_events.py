"""What is worth telling: beginnings and ends of states, net changes of tests, and one message for an outage."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from analysis import shape, targets
from analysis.answers.of_time import BudgetAnswer
from analysis.shape import Shape
from projects.vocabulary import EventKind, FlakeStatus, Layer
from reports import events
from reports.events import Arrivals, Facts, Known, Outage, StatusChange

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FACTS = Facts(now=NOW)


def change(before: FlakeStatus, after: FlakeStatus, *, test_id: int = 1, run: int | None = 7) -> StatusChange:
    """Return a change of one test's status."""
    return StatusChange(test_id, f"Cart › test_{test_id}", before, after, run, "why")


def budget(run_s: float | None, *, limit_s: float = 300) -> BudgetAnswer:
    """Return what integration tests take of five minutes."""
    share = None if run_s is None else run_s / limit_s
    return BudgetAnswer(Layer.INTEGRATION, limit_s, run_s, share, None, n_to_move=2)


def judged(unit: int, integration: int, e2e: int) -> shape.Judgement:
    """Return how a suite of so many tests stands to the pyramid."""
    amounts = {Layer.UNIT: unit, Layer.INTEGRATION: integration, Layer.E2E: e2e}
    return shape.judge(Shape(amounts), targets.PYRAMID)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (FlakeStatus.HEALTHY, FlakeStatus.FLAKY, EventKind.FLAKY),
        (FlakeStatus.SUSPECTED, FlakeStatus.BROKEN, EventKind.BROKEN),
        (FlakeStatus.FLAKY, FlakeStatus.FIXED, EventKind.FIXED),
        (FlakeStatus.BROKEN, FlakeStatus.HEALTHY, EventKind.FIXED),
        (FlakeStatus.HEALTHY, FlakeStatus.SUSPECTED, None),
        (FlakeStatus.FLAKY, FlakeStatus.STALE, None),
        (FlakeStatus.SUSPECTED, FlakeStatus.HEALTHY, None),
    ],
)
def test_a_status_is_told_when_somebody_can_act_on_it(
    before: FlakeStatus, after: FlakeStatus, kind: EventKind | None
) -> None:
    told, _ = events.decide(replace(FACTS, changes=(change(before, after),)), Known())

    assert [one.kind for one in told] == ([kind] if kind else [])


def test_a_test_that_came_back_to_where_it_was_is_not_told() -> None:
    there = change(FlakeStatus.FLAKY, FlakeStatus.BROKEN)
    back = change(FlakeStatus.BROKEN, FlakeStatus.FLAKY)

    told, _ = events.decide(replace(FACTS, changes=(there, back)), Known())

    assert told == ()


def test_a_test_that_changed_twice_is_told_where_it_ended() -> None:
    first = change(FlakeStatus.HEALTHY, FlakeStatus.FLAKY)
    second = change(FlakeStatus.FLAKY, FlakeStatus.BROKEN)

    told, _ = events.decide(replace(FACTS, changes=(first, second)), Known())

    assert [(one.kind, one.key) for one in told] == [(EventKind.BROKEN, "broken:1")]


def test_what_was_told_an_hour_ago_is_not_told_again() -> None:
    facts = replace(
        FACTS,
        changes=(change(FlakeStatus.HEALTHY, FlakeStatus.FLAKY),),
        told_at={"flaky:1": NOW - timedelta(hours=1)},
    )

    told, _ = events.decide(facts, Known())

    assert told == ()


def test_an_outage_is_one_thing_and_its_tests_are_none() -> None:
    broken = tuple(
        change(FlakeStatus.HEALTHY, FlakeStatus.BROKEN, test_id=n, run=7 + n % 2) for n in range(40)
    )
    outages = (Outage(7, "40 of 50 tests failed with 1 message"), Outage(8, "again"))

    told, known = events.decide(replace(FACTS, changes=broken, outages=outages), Known())

    assert [(one.kind, one.page_id) for one in told] == [(EventKind.OUTAGE, 8)]
    assert known.outages == (7, 8)


def test_an_outage_that_goes_on_is_told_once() -> None:
    outages = (Outage(7, "many"), Outage(9, "many"))
    told_at = {"outage": NOW - timedelta(hours=2)}

    told, _ = events.decide(replace(FACTS, outages=outages, told_at=told_at), Known(outages=(7,)))

    assert told == ()


def test_a_budget_is_told_when_it_is_crossed_and_when_it_is_kept_again() -> None:
    crossed, over = events.decide(replace(FACTS, budgets=(budget(310),)), Known())
    standing, still = events.decide(replace(FACTS, budgets=(budget(290),)), over)
    back, under = events.decide(replace(FACTS, budgets=(budget(280),)), still)

    assert [one.title for one in crossed] == ["integration is over budget"]
    assert crossed[0].detail == "5 m 10 s of 5 m 00 s a run; moving 2 tests brings it back"
    assert standing == ()
    assert [(one.title, one.is_good) for one in back] == [("integration is within budget again", True)]
    assert under.over_budget == frozenset()


def test_a_layer_without_data_keeps_its_state() -> None:
    told, known = events.decide(
        replace(FACTS, budgets=(budget(None),)), Known(over_budget=frozenset({Layer.INTEGRATION}))
    )

    assert told == ()
    assert known.over_budget == {Layer.INTEGRATION}


def test_the_shape_is_told_when_it_leaves_its_target_and_when_it_is_back() -> None:
    inside, outside = judged(74, 18, 8), judged(60, 32, 8)
    first, known = events.decide(replace(FACTS, judgement=inside, target="pyramid"), Known())
    left, known = events.decide(replace(FACTS, judgement=outside, target="pyramid"), known)
    still, known = events.decide(replace(FACTS, judgement=outside, target="pyramid"), known)
    back, _ = events.decide(replace(FACTS, judgement=inside, target="pyramid"), known)

    assert first == ()
    assert [one.title for one in left] == ["The suite left its target, pyramid"]
    assert "integration 12 points over" in left[0].detail
    assert still == ()
    assert [one.title for one in back] == ["The suite is a pyramid again"]


def test_half_a_point_is_no_departure() -> None:
    _, known = events.decide(replace(FACTS, judgement=judged(700, 200, 100), target="pyramid"), Known())

    told, _ = events.decide(replace(FACTS, judgement=judged(695, 204, 101), target="pyramid"), known)

    assert told == ()


@pytest.mark.parametrize(
    ("pause", "silent_for", "is_told"),
    [
        (timedelta(hours=2), timedelta(hours=23), False),
        (timedelta(hours=2), timedelta(hours=25), True),
        (timedelta(days=3), timedelta(days=5), False),
        (timedelta(days=3), timedelta(days=7), True),
    ],
)
def test_silence_is_measured_by_the_pauses_before(
    pause: timedelta, silent_for: timedelta, is_told: bool
) -> None:
    arrivals = Arrivals(last_at=NOW - silent_for, longest_pause=pause, n_runs=30)

    told, known = events.decide(replace(FACTS, arrivals=arrivals), Known())

    assert bool(told) is is_told
    assert known.is_silent is is_told


def test_silence_is_told_once_and_so_is_its_end() -> None:
    silent = Arrivals(last_at=NOW - timedelta(days=2), n_runs=30)
    again = Arrivals(last_at=NOW, n_runs=31)

    began, known = events.decide(replace(FACTS, arrivals=silent), Known())
    still, known = events.decide(replace(FACTS, arrivals=silent), known)
    ended, _ = events.decide(replace(FACTS, arrivals=again), known)

    assert [one.title for one in began] == ["Uploads stopped arriving"]
    assert still == ()
    assert [one.title for one in ended] == ["Uploads arrive again"]


def test_a_project_of_four_runs_is_never_silent() -> None:
    arrivals = Arrivals(last_at=NOW - timedelta(days=20), n_runs=4)

    told, _ = events.decide(replace(FACTS, arrivals=arrivals), Known())

    assert told == ()


@pytest.mark.parametrize(("n", "ago", "is_told"), [(1, 5, False), (3, 5, True), (1, 61, True)])
def test_refusals_are_told_when_they_are_several_or_last(n: int, ago: int, is_told: bool) -> None:
    arrivals = Arrivals(
        last_at=NOW, n_refused=n, refused_since=NOW - timedelta(minutes=ago), sentence="The file is empty."
    )

    told, _ = events.decide(replace(FACTS, arrivals=arrivals), Known())

    assert [(one.kind, one.detail) for one in told] == (
        [(EventKind.UPLOADS_REFUSED, "The file is empty.")] if is_told else []
    )


def test_a_first_look_learns_how_things_stand_and_tells_none_of_it() -> None:
    facts = replace(
        FACTS,
        budgets=(budget(400),),
        outages=(Outage(3, "many"),),
        arrivals=Arrivals(last_at=NOW - timedelta(days=9), n_runs=30),
    )

    told, known = events.decide(facts, Known(is_first=True))

    assert told == ()
    assert known == Known(is_silent=True, over_budget=frozenset({Layer.INTEGRATION}), outages=(3,))


@pytest.mark.parametrize(
    ("first_ago", "last_ago", "is_settled"),
    [(60, 30, False), (300, 30, False), (300, 120, True), (600, 1, True)],
)
def test_news_waits_for_a_pause_but_not_for_ever(first_ago: int, last_ago: int, is_settled: bool) -> None:
    first, last = NOW - timedelta(seconds=first_ago), NOW - timedelta(seconds=last_ago)

    assert events.is_settled(NOW, first_at=first, last_at=last) is is_settled
