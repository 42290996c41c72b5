"""The uploader's gate: what is forgiven, and how a CI is told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from uploader import trophycase


def failure(p_flaky: float | None) -> dict[str, Any]:
    """Return a failure as the server tells it."""
    return {
        "title": "Cart › adds | a <b>",
        "sentence": "Known.",
        "layer": "unit",
        "url": "https://t.example/1",
        "p_flaky": p_flaky,
    }


def verdicts(*ps: float | None, **more: Any) -> dict[str, Any]:
    """Return a run's verdicts as the server tells them."""
    return {
        "url": "https://t.example/r/1",
        "n_failures": len(ps),
        "is_incomplete": False,
        "failures": [failure(p) for p in ps],
        **more,
    }


@pytest.mark.parametrize(
    ("answer", "n_own_bad", "is_forgiven"),
    [
        (verdicts(0.95), 1, True),
        (verdicts(0.9, 0.99), 2, True),
        (verdicts(0.95, 0.2), 2, False),
        (verdicts(0.95, None), 2, False),
        (verdicts(), 0, False),
        (verdicts(0.95), 2, False),
        (verdicts(0.95, n_failures=700), 1, False),
        (verdicts(0.95, is_incomplete=True, is_truncated=True), 1, False),
        (verdicts(0.95, is_incomplete=True, is_truncated=False), 1, True),
    ],
    ids=[
        "one known",
        "all known",
        "one likely theirs",
        "one without verdict",
        "no failure in the report",
        "more failed here than the server knows",
        "more than the server lists",
        "a report broke off",
        "other shards are still to come",
    ],
)
def test_only_a_whole_run_of_known_flakes_is_forgiven(
    answer: dict[str, Any], n_own_bad: int, is_forgiven: bool
) -> None:
    assert trophycase.ruling(answer, p=0.9, n_own_bad=n_own_bad).is_forgiven is is_forgiven


@pytest.mark.parametrize(
    ("exit_code", "command", "expected"),
    [
        (1, ["pytest"], True),
        (2, ["python", "-m", "pytest"], False),
        (100, ["cargo", "nextest", "run"], True),
        (127, ["mvn"], False),
        (139, ["go"], False),
    ],
)
def test_a_crash_is_never_taken_for_failed_tests(exit_code: int, command: list[str], expected: bool) -> None:
    assert trophycase.may_be_tests(exit_code, command) is expected


def test_a_muted_failure_is_forgiven_whatever_its_probability() -> None:
    muted = {**failure(0.1), "quarantine": {"reason": "sandbox is down", "until_on": "2026-12-01"}}
    both = verdicts(0.95, n_failures=2) | {"failures": [failure(0.95), muted]}

    alone = trophycase.ruling(verdicts(n_failures=1) | {"failures": [muted]}, p=0.9, n_own_bad=1)
    together = trophycase.ruling(both, p=0.9, n_own_bad=2)

    assert (alone.is_forgiven, alone.why) == (True, "1 failure, muted")
    assert together.why == "2 failures, known to be flaky (P at least 0.90) or muted (1)"


def test_a_muted_failure_forgives_no_other() -> None:
    muted = {**failure(None), "quarantine": {"reason": "r", "until_on": "2026-12-01"}}
    answer = verdicts(n_failures=2) | {"failures": [muted, failure(0.2)]}

    assert not trophycase.ruling(answer, p=0.9).is_forgiven


def test_the_summary_is_markdown_that_test_names_cannot_break() -> None:
    told = trophycase.ruling(verdicts(0.95), p=0.9)

    text = trophycase.summary(told, p=0.9, exit_code=1)

    assert "the build goes on" in text
    assert "| forgiven | [Cart › adds \\| a &lt;b>](https://t.example/1) | unit | Known. |" in text


def published(folder: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> str:
    """Publish a summary, and return what was printed for the CI."""
    told = trophycase.ruling(verdicts(0.95), p=0.9)
    text = trophycase.summary(told, p=0.9, exit_code=1)
    voice = trophycase.Voice(environ=environ)
    trophycase.publish(text, headline=f"Trophycase: [{told.why}]", environ=environ, voice=voice)
    return capsys.readouterr().out


def test_azure_is_told_of_the_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = published(tmp_path, {"TF_BUILD": "True", "AGENT_TEMPDIRECTORY": str(tmp_path)}, capsys)

    page = tmp_path / "trophycase.md"
    assert printed == f"##vso[task.uploadsummary]{page}\n"
    assert "the build goes on" in page.read_text()


def test_buildkite_gets_the_summary_as_an_annotation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = tmp_path / "buildkite-agent"
    agent.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/words\ncat > {tmp_path}/text\n')
    agent.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    published(tmp_path, {"BUILDKITE_AGENT_ACCESS_TOKEN": "x"}, capsys)

    assert (tmp_path / "words").read_text() == "annotate --context trophycase --style info\n"
    assert "the build goes on" in (tmp_path / "text").read_text()


def test_teamcity_shows_the_ruling_beside_the_builds_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = published(tmp_path, {"TEAMCITY_VERSION": "2026.1"}, capsys)

    assert printed == (
        "##teamcity[buildStatus text='{build.status.text}; "
        "Trophycase: |[1 failure, known to be flaky (P at least 0.90)|]']\n"
    )


def test_any_other_ci_gets_the_summary_as_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "gate.md"

    printed = published(tmp_path, {"TROPHYCASE_SUMMARY": str(page)}, capsys)

    assert printed == ""
    assert "the build goes on" in page.read_text()


def test_a_summary_that_cannot_be_written_fails_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = published(tmp_path, {"GITHUB_STEP_SUMMARY": str(tmp_path / "none" / "page.md")}, capsys)

    assert "summary could not be written" in printed


def test_pytest_is_asked_for_a_report_unless_it_writes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert trophycase.with_report(["uv", "run", "pytest", "-q"], "r.xml") == (
        ["uv", "run", "pytest", "--junit-xml=r.xml", "-q"],
        ["r.xml"],
    )
    assert trophycase.with_report(["pytest", "--junitxml", "own.xml"], "r.xml")[1] == ["own.xml"]
    assert trophycase.with_report(["go", "test"], "r.xml") == (["go", "test"], [])
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --junit-xml=mine.xml\n")
    assert trophycase.with_report(["pytest"], "r.xml") == (["pytest"], [])
