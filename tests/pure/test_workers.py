"""Workers: the few ways in which reports say which one ran a failing case."""

from __future__ import annotations

import pytest

from ingest import junit
from ingest.cases import Case

FAILS = "<failure>{text}</failure>"


def case_of(case: str, *, suite: str = 'name="s"', properties: str = "") -> Case:
    """Read a report of one case."""
    report = f"<testsuite {suite}>{properties}{case}</testsuite>"
    return next(iter(junit.read([report.encode()], file_name="r.xml").cases()))


def worker(inner: str, *, suite: str = 'name="s"', properties: str = "") -> str:
    """Return the worker of a case that fails with these children."""
    failure = case_of(
        f'<testcase classname="c" name="n">{inner}</testcase>', suite=suite, properties=properties
    ).failure
    assert failure is not None
    return failure.worker


@pytest.mark.parametrize("name", ["worker_id", "worker", "parallelIndex", "threadId"])
def test_a_property_of_the_case_names_its_worker(name: str) -> None:
    own = f'<properties><property name="{name}" value="gw3"/></properties>'

    assert worker(own + "<failure/>", suite='name="s" hostname="runner-7"') == "gw3"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[gw12] linux -- Python 3.11.2 /usr/bin/python\ndef test(): ...", "gw12"),
        ("at Gradle Test Executor 4 // run", "Gradle Test Executor 4"),
        ("assert '[gw1]' in words", ""),
    ],
)
def test_the_text_of_a_failure_may_name_it(text: str, expected: str) -> None:
    assert worker(FAILS.format(text=text)) == expected


def test_the_process_of_a_suite_is_its_worker_else_its_machine() -> None:
    fork = '<properties><property name="surefire.forkNumber" value="2"/></properties>'

    assert worker("<failure/>", suite='name="s" hostname="runner-7"', properties=fork) == "2"
    assert worker("<failure/>", suite='name="rspec3"') == "3"
    assert worker("<failure/>", suite='name="s" hostname="runner-7"') == "runner-7"
    assert worker("<failure/>", suite='name="s" hostname="localhost"') == ""


def test_earlier_attempts_ran_on_the_worker_too() -> None:
    own = '<properties><property name="worker_id" value="gw3"/></properties>'
    case = case_of(f'<testcase classname="c" name="n">{own}<flakyFailure message="m"/></testcase>')

    assert [attempt.failure.worker for attempt in case.attempts if attempt.failure] == ["gw3"]


def test_xdist_without_workers_names_none() -> None:
    own = '<properties><property name="worker_id" value="master"/></properties>'

    assert worker(own + "<failure/>") == ""
