"""The layers against labelled identities of public repositories: how right, and how honest about it."""

from __future__ import annotations

import pytest

from analysis.layers import Verdict, classify, classify_many
from tests.bench import bench_layers
from tests.bench.bench_layers import Row
from tests.shared import NEEDS_SHARED

pytestmark = [pytest.mark.shared, NEEDS_SHARED]


@pytest.fixture(scope="module")
def labelled() -> list[Row]:
    return bench_layers.rows()


@pytest.fixture(scope="module")
def verdicts(labelled: list[Row]) -> list[Verdict]:
    return list(classify_many(row.identity for row in labelled))


def test_layers_are_mostly_right(labelled: list[Row], verdicts: list[Verdict]) -> None:
    found = bench_layers.scores(labelled, [verdict.layer for verdict in verdicts])

    assert found["all"] >= 0.80
    assert found["sure"] >= 0.92
    assert found["trap"] >= 0.70


def test_layers_are_read_from_reports_that_do_not_name_their_producer(labelled: list[Row]) -> None:
    said = [
        verdict.layer for verdict in classify_many(row.identity._replace(framework="") for row in labelled)
    ]

    assert bench_layers.scores(labelled, said)["all"] >= 0.75


def test_confidence_holds_what_it_promises(labelled: list[Row], verdicts: list[Verdict]) -> None:
    table = bench_layers.reliability(labelled, verdicts)

    (_, n_certain, _, right, _), *_ = table
    assert n_certain > 1000
    assert right >= 0.88
    shares = [right for _, n, _, right, _ in table if n >= 100]
    assert shares == sorted(shares, reverse=True)
    assert all(right >= mean - 0.05 for _, n, mean, right, _ in table if n >= 100)


def test_repositories_that_had_no_part_in_the_weights_are_read_nearly_as_well(labelled: list[Row]) -> None:
    found = bench_layers.scores(labelled, bench_layers.cross_validate(labelled))

    assert found["all"] >= 0.72


def test_what_was_read_before_changes_no_verdict(labelled: list[Row]) -> None:
    report = bench_layers.report_of(labelled, n_per_class=1, n_copies=2)[::3]

    together = list(classify_many(report))

    assert together == [classify(identity) for identity in report]
