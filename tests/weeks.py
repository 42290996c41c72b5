"""Makes weeks for the tests of the letter: plain values with one thing changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from analysis import shape, targets
from analysis.answers.of_flakes import FlakeRow
from analysis.answers.of_suite import Totals
from analysis.answers.of_time import BudgetAnswer, ShiftRow
from analysis.answers.rows import LayerAmount, TestRow
from projects.vocabulary import Boundary, FlakeStatus, Layer, TimingBucket
from reports.week import Links, Week

SINCE = date(2026, 11, 16)
UNTIL = date(2026, 11, 22)
LINKS = Links(
    overview="https://t.example/p/web/?window=7d",
    flaky="https://t.example/p/web/flaky?window=7d",
    slow="https://t.example/p/web/slow?window=7d",
    shape="https://t.example/p/web/shape",
    muted="https://t.example/p/web/quarantine",
    test="https://t.example/p/web/tests/{id}",
)
TOTALS = Totals(
    n_tests=1602,
    n_runs=113,
    n_passed=9840,
    n_bad=160,
    n_skipped=10,
    run_seconds_p50=372.0,
    n_flaky=0,
    n_unknown=0,
)
LAYERS = (
    LayerAmount(Layer.UNIT, 71, 10.0),
    LayerAmount(Layer.INTEGRATION, 19, 30.0),
    LayerAmount(Layer.E2E, 10, 60.0),
)


def a_week(**changes: Any) -> Week:
    """Return a calm week on the pyramid target, with `changes`."""
    now = shape.Shape({amount.layer: amount.n_tests for amount in LAYERS})
    calm = Week(
        project="web",
        branch="main",
        since=SINCE,
        until=UNTIL,
        totals=TOTALS,
        before=TOTALS,
        layers=LAYERS,
        layers_before=LAYERS,
        verdict="web is a pyramid, and holding its shape.",
        judgement=shape.judge(now, targets.PYRAMID),
        target="pyramid",
        flaky=(),
        fixed=(),
        slower=(),
        budgets=(),
        asked=(),
        links=LINKS,
    )
    return replace(calm, **changes)


def a_test(number: int, *, p95_s: float | None = None) -> TestRow:
    """Return a test named after its number."""
    return TestRow(
        id=number,
        title=f"checkout › pays_{number}",
        home="tests/e2e/checkout.spec.ts",
        layer=Layer.E2E,
        confidence=1.0,
        bucket=TimingBucket.ACCEPTABLE,
        status=FlakeStatus.FLAKY,
        variant="",
        owner="",
        n_results=113,
        n_bad=6,
        n_skipped=0,
        n_flaky=6,
        median_s=1.0,
        p95_s=p95_s,
        seconds=100.0,
        last_seen_on=UNTIL,
    )


def a_flake(
    number: int, *, since: date = SINCE, n_runs_broken: int = 6, seconds_lost: float = 4200.0
) -> FlakeRow:
    """Return a flaky test, new this week unless `since` says otherwise."""
    return FlakeRow(
        test=a_test(number),
        status=FlakeStatus.FLAKY,
        sentence="",
        since_on=since,
        n_runs_broken=n_runs_broken,
        n_flakes=n_runs_broken,
        rate=0.05,
        rate_low=0.02,
        rate_high=0.09,
        seconds_lost=seconds_lost,
        proof_runs=(790,),
        boundary=Boundary.BROWSER,
        reason="",
    )


def a_slower_test(number: int) -> ShiftRow:
    """Return a test that went from 2.1 to 9.8 seconds."""
    return ShiftRow(
        test_id=number,
        title=f"checkout › pays_{number}",
        home="tests/e2e/checkout.spec.ts",
        layer=Layer.E2E,
        before_s=2.1,
        since_s=9.8,
        run_number=40,
        run_before=39,
        commit="9f3c1ab5d2",
        commit_before="0d4e77a1c8",
        day=SINCE,
        added_s=600.0,
    )


def a_budget(*, run_s: float, n_to_move: int = 0, crosses_on: date | None = None) -> BudgetAnswer:
    """Return five minutes of integration tests, spent as told."""
    return BudgetAnswer(
        Layer.INTEGRATION,
        limit_s=300,
        run_s=run_s,
        share=run_s / 300,
        crosses_on=crosses_on,
        n_to_move=n_to_move,
    )
