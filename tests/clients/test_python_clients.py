"""Clients from Python's registry against a running server, unchanged."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.utils import timezone

from projects import care
from projects.models import Upload
from tests.clients.sending import COMMIT, GITHUB, RESULTS, TWIN, Clients, Said, outcomes, recorded, run
from tests.factories import Shop, a_shop, a_test_named, send
from tests.processes import LiveApp

pytestmark = pytest.mark.timeout(600)  # the first of them installs the clients


def test_the_buildkite_collector_for_pytest_sends_its_results(
    live_app: LiveApp, python_clients: Clients, tmp_path: Path
) -> None:
    shop = a_shop()
    environ = {
        **GITHUB,
        "BUILDKITE_ANALYTICS_TOKEN": shop.token,
        "BUILDKITE_ANALYTICS_API_URL": f"{live_app.url}/v1",
    }

    said = run(python_clients, tmp_path, "pytest", "-q", "test_sample.py", environ=environ)

    upload = recorded(shop, said=said)
    assert said.code == 1  # the suite's own: one test fails
    assert (upload.run_key, upload.branch, upload.commit, upload.attempt) == ("github-99", "topic", COMMIT, 2)
    assert outcomes(shop) == RESULTS


CODECOV = ("--report-type", "test_results", "--disable-search", "-f", "report.xml", "--git-service", "github")


@pytest.mark.parametrize("command", ["do-upload", "upload-process"])
def test_codecovs_cli_sends_a_report(
    live_app: LiveApp, python_clients: Clients, tmp_path: Path, command: str
) -> None:
    shop = a_shop()
    said = run(
        python_clients,
        tmp_path,
        *("codecovcli", "--disable-telem", "--url", f"{live_app.url}/codecov", command, *CODECOV),
        *("-F", "unit", "--env", "GITHUB_RUN_ATTEMPT", "--env", "GITHUB_JOB", "-Z"),
        environ={**GITHUB, "CODECOV_TOKEN": shop.token},
    )

    upload = recorded(shop, said=said)
    assert said.code == 0, said.text
    assert shop.token not in said.text
    assert f"/uploads/{upload.id}" in said.text
    assert (upload.run_key, upload.branch, upload.commit, upload.attempt) == ("github-99", "topic", COMMIT, 2)
    assert outcomes(shop) == RESULTS


def test_codecovs_cli_prints_why_a_token_is_refused(
    live_app: LiveApp, python_clients: Clients, tmp_path: Path
) -> None:
    said = run(
        python_clients,
        tmp_path,
        *("codecovcli", "--disable-telem", "--url", live_app.url, "do-upload", *CODECOV, "-Z"),
        environ={**GITHUB, "CODECOV_TOKEN": "tc_wrong"},
    )

    assert said.code == 1
    assert "This token is not known or was revoked" in said.text


def test_the_flaky_detector_sends_a_report_once(
    live_app: LiveApp, python_clients: Clients, tmp_path: Path
) -> None:
    shop = a_shop()
    environ = {**GITHUB, "FLAKY_DETECTOR_URL": live_app.url, "FLAKY_DETECTOR_TOKEN": shop.token}

    first, second = (
        run(python_clients, tmp_path, "flaky-detector", "submit", "report.xml", environ=environ)
        for _ in range(2)
    )

    upload = recorded(shop, said=first)
    assert (first.code, second.code) == (0, 0), first.text
    assert "Created run" in first.text
    assert "3 tests" in first.text
    assert "Already recorded" in second.text
    assert (upload.run_key, upload.branch, upload.attempt) == ("github-99", "topic", 2)


def test_the_flaky_detector_prints_why_a_report_is_refused(
    live_app: LiveApp, python_clients: Clients, tmp_path: Path
) -> None:
    environ = {**GITHUB, "FLAKY_DETECTOR_URL": live_app.url, "FLAKY_DETECTOR_TOKEN": "tc_wrong"}

    said = run(python_clients, tmp_path, "flaky-detector", "submit", "report.xml", environ=environ)

    assert said.code == 1
    assert "This token is not known or was revoked" in said.text


def test_jux_publishes_a_report(live_app: LiveApp, python_clients: Clients, tmp_path: Path) -> None:
    shop = a_shop()
    environ = {"JUX_API_URL": f"{live_app.url}/api/v1", "JUX_BEARER_TOKEN": shop.token}

    said = run(python_clients, tmp_path, "jux-publish", "--file", "report.xml", environ=environ)

    recorded(shop, said=said)
    assert said.code == 0, said.text
    assert outcomes(shop) == RESULTS


MERGIFY = ("mergify", "ci", "junit-process", "--test-exit-code", "1", "report.xml")


def test_mergifys_cli_sends_its_traces(live_app: LiveApp, python_clients: Clients, tmp_path: Path) -> None:
    shop = a_shop()
    environ = {**GITHUB, "MERGIFY_API_URL": live_app.url, "MERGIFY_TOKEN": shop.token}

    said = run(python_clients, tmp_path, *MERGIFY, environ=environ)

    upload = recorded(shop, said=said)
    assert said.code == 1  # a failure, and none is quarantined
    assert "1 report uploaded" in said.text
    assert (upload.run_key, upload.branch, upload.job, upload.attempt) == ("github-99", "topic", "test", 2)
    assert outcomes(shop) == RESULTS


def test_mergifys_cli_lets_a_muted_failure_pass(
    live_app: LiveApp, python_clients: Clients, tmp_path: Path
) -> None:
    shop = a_shop()
    send(shop, TWIN.read_bytes(), run="before")
    recorded(shop, said=Said(0, ""))
    test_id = a_test_named(shop, "test_bad").id
    care.mute(shop.project, test_id, reason="sandbox", n_days=14, by=shop.owner, now=timezone.now())
    environ = {**GITHUB, "MERGIFY_API_URL": live_app.url, "MERGIFY_TOKEN": shop.token}

    said = run(python_clients, tmp_path, *MERGIFY, environ=environ)

    assert said.code == 0, said.text
    assert "1/1 failures quarantined" in said.text


def test_mergifys_cli_blocks_with_a_wrong_token(
    live_app: LiveApp, python_clients: Clients, tmp_path: Path
) -> None:
    environ = {**GITHUB, "MERGIFY_API_URL": live_app.url, "MERGIFY_TOKEN": "tc_wrong"}

    said = run(python_clients, tmp_path, *MERGIFY, environ=environ)

    assert said.code == 1
    assert not Upload.objects.exists()


def pytest_with_mergify(shop: Shop, url: str) -> dict[str, str]:
    """Return the environment of a job in which pytest's plugin of Mergify is at work."""
    return {**GITHUB, "MERGIFY_API_URL": url, "MERGIFY_TOKEN": shop.token, "GITHUB_HEAD_REF": ""}


def test_mergifys_plugin_for_pytest_sends_its_traces(
    live_app: LiveApp, python_clients: Clients, tmp_path: Path
) -> None:
    shop = a_shop()

    said = run(python_clients, tmp_path, "pytest", "-q", environ=pytest_with_mergify(shop, live_app.url))

    upload = recorded(shop, said=said)
    assert said.code == 1, said.text
    assert (upload.run_key, upload.branch, upload.commit, upload.attempt) == ("github-99", "topic", COMMIT, 2)
    assert outcomes(shop) == RESULTS


def test_mergifys_plugin_for_pytest_lets_a_muted_failure_pass(
    live_app: LiveApp, python_clients: Clients, tmp_path: Path
) -> None:
    shop = a_shop()
    environ = pytest_with_mergify(shop, live_app.url)
    recorded(shop, said=run(python_clients, tmp_path, "pytest", "-q", environ=environ))
    test_id = a_test_named(shop, "test_bad").id
    care.mute(shop.project, test_id, reason="sandbox", n_days=14, by=shop.owner, now=timezone.now())

    said = run(python_clients, tmp_path, "pytest", "-q", environ={**environ, "GITHUB_RUN_ID": "100"})

    assert said.code == 0, said.text
    assert "quarantine" in said.text.lower()


LAUNCHABLE = ("--test-suite", "unit", "pytest", "report.xml")


def test_launchables_cli_records_tests(live_app: LiveApp, python_clients: Clients, tmp_path: Path) -> None:
    shop = a_shop()
    environ = {
        **GITHUB,
        "LAUNCHABLE_BASE_URL": live_app.url,
        "LAUNCHABLE_TOKEN": f"v1:organization/workspace:{shop.token}",
    }

    said = run(
        python_clients,
        tmp_path,
        *("launchable", "record", "tests", "--no-build"),
        *LAUNCHABLE,
        environ=environ,
    )

    upload = recorded(shop, said=said)
    assert said.code == 0, said.text
    assert "recorded tests" in said.text
    assert (upload.run_key, upload.branch, upload.commit, upload.attempt) == ("github-99", "topic", COMMIT, 2)
    assert outcomes(shop) == RESULTS


def test_launchables_cli_records_a_build_first(
    live_app: LiveApp, python_clients: Clients, tmp_path: Path
) -> None:
    shop = a_shop()
    environ = {
        "LAUNCHABLE_BASE_URL": live_app.url,
        "LAUNCHABLE_TOKEN": f"v1:organization/workspace:{shop.token}",
    }
    commit = ("--no-commit-collection", "--commit", f".={COMMIT}")

    run(
        python_clients,
        tmp_path,
        *("launchable", "record", "build", "--name", "b-7"),
        *commit,
        environ=environ,
    )
    said = run(
        python_clients,
        tmp_path,
        *("launchable", "record", "tests", "--build", "b-7"),
        *LAUNCHABLE,
        environ=environ,
    )

    upload = recorded(shop, said=said)
    assert upload.run_key == "launchable-b-7", said.text
    assert outcomes(shop) == RESULTS
