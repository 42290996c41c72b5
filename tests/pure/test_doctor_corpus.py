"""The uploader's doctor on the corpus of real reports: it knows who wrote them, and what mends what they lack."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import shared
from uploader import trophycase

pytestmark = [pytest.mark.shared, shared.NEEDS_SHARED]

# Made by hand, or by tools that convert: nothing in them says who wrote them.
UNSIGNED = ("handmade", "edge", "spec", "not-junit", "xunit-plugin-inputs")
# The tools whose reports lie in these folders; the folders of services and stylesheets hold those of several.
WRITERS = {
    "ansible": {"ansible"},
    "bats": {"bats"},
    "bazel": {"bazel"},
    "behave": {"behave"},
    "cargo-nextest": {"nextest"},
    "catch2": {"catch2"},
    "cfn-lint": {"cfn-lint"},
    "criterion": {"criterion"},
    "ctest": {"ctest"},
    "cucumber-junit-formatter": {"cucumber"},
    "cucumber-ruby": {"cucumber"},
    "doctest": {"doctest"},
    "dotnet-junit-testlogger": {"dotnet"},
    "dotnet-trx2junit": {"dotnet"},
    "eslint-junit": {"eslint"},
    "go-junit-report": {"go"},
    "go2xunit": {"go"},
    "gotestsum": {"go"},
    "junit5-console": {"junit5"},
    "kubernetes-ginkgo": {"ginkgo"},
    "minitest-reporters": {"minitest"},
    "mocha-junit-reporter": {"mocha"},
    "mypy": {"mypy"},
    "newman": {"newman"},
    "nose2": {"nose2"},
    "playwright": {"playwright"},
    "pytest-bdd": {"pytest"},
    "pytest-rerunfailures": {"pytest"},
    "pytest-xdist": {"pytest"},
    "robot": {"robot"},
    "rspec": {"rspec"},
    "sponge-go": {"go"},
    "testcafe": {"testcafe"},
    "vitest": {"vitest"},
    "xcresult-junit": {"xcode"},
}


def charts() -> list[tuple[str, trophycase.Chart]]:
    """Return folder and chart of each report that has a test."""
    root = (shared.CORPUS or Path()) / "junit"
    paths = sorted(path for path in root.glob("*/*") if path.suffix.lower() in (".xml", ".gz"))
    found = [(path.parent.name, trophycase.examine(path)) for path in paths]
    return [(folder, chart) for folder, chart in found if chart.n_cases]


@pytest.fixture(scope="module")
def examined() -> list[tuple[str, trophycase.Chart]]:
    """Return what the doctor finds in the corpus."""
    return charts()


def test_nine_of_ten_reports_of_real_tools_are_known_by_their_writer(
    examined: list[tuple[str, trophycase.Chart]],
) -> None:
    real = [chart for folder, chart in examined if not folder.startswith(UNSIGNED)]

    assert len(real) > 250
    assert sum(bool(chart.producer) for chart in real) >= 0.9 * len(real)


def test_no_report_is_taken_for_another_tools(examined: list[tuple[str, trophycase.Chart]]) -> None:
    wrong = [
        (folder, chart.path, chart.producer)
        for folder, chart in examined
        if folder in WRITERS and chart.producer not in WRITERS[folder]
    ]

    assert wrong == []


def test_what_a_known_tool_leaves_out_has_an_answer_of_that_tools(
    examined: list[tuple[str, trophycase.Chart]],
) -> None:
    unanswered = {
        (chart.producer, key)
        for _, chart in examined
        for key in chart.findings()
        if chart.producer and key not in trophycase.MENDS.get(chart.producer, {})
    }

    assert unanswered == set()
