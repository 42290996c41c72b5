"""Which tool wrote a report is told from what its reports say of themselves, never from a file's name."""

from __future__ import annotations

from collections import defaultdict

import pytest

from ingest import producers
from ingest.junit import Refused, read
from tests.shared import CORPUS, NEEDS_SHARED, table
from uploader import trophycase

# What the reports of each folder of the corpus show. Folders that are missing name no tool, and show none.
SHOWN = {
    "ant-junit": {"ant"},
    "bats": {"bats"},
    "behave": {"behave"},
    "bitrise-xcode": {"surefire", "gradle"},
    "cargo-nextest": {"nextest"},
    "catch2": {"catch2"},
    "cfn-lint": {"cfn-lint"},
    "criterion": {"criterion"},
    "ctest": {"ctest"},
    "cucumber-junit-formatter": {"cucumber"},
    "cucumber-ruby": {"cucumber"},
    "cypress-mocha-junit": {"mocha"},
    "dart-json-xslt": {"dart"},
    "django-xmlrunner": {"unittest"},
    "doctest": {"doctest"},
    "dotnet-junit-testlogger": {"dotnet"},
    "dotnet-trx-xslt": {"dotnet"},
    "dotnet-trx2junit": {"dotnet"},
    "eslint-junit": {"eslint"},
    "go-junit-report": {"go"},
    "go2xunit": {"go"},
    "googletest": {"googletest"},
    "gotestsum": {"go"},
    "gradle": {"gradle"},
    "jest-junit": {"jest", "googletest"},  # two of its files are of other tools
    "jmeter-junit": {"surefire"},
    "junit5-console": {"junit5"},
    "maven-surefire": {"surefire"},
    "minitest-reporters": {"minitest"},
    "mocha-junit-reporter": {"mocha"},
    "mocha-xunit": {"mocha"},
    "mypy": {"mypy"},
    "newman": {"newman"},
    "nose2": {"nose2"},
    "nunit2-xslt": {"dotnet"},
    "nunit3-xslt": {"dotnet"},
    "perl-tap-junit": {"tap"},
    "phpunit": {"phpunit"},
    "playwright": {"playwright"},
    "pytest": {"pytest", "jest"},  # one file is a merge of both
    "pytest-bdd": {"pytest"},
    "pytest-rerunfailures": {"pytest"},
    "pytest-subtests": {"pytest"},
    "pytest-xdist": {"pytest"},
    "robot": {"robot"},
    "rspec": {"rspec"},
    "sponge-go": {"go"},
    "tap-junit": {"tap"},
    "testcafe": {"testcafe"},
    "unittest-xml-reporting": {"unittest", "ant"},  # one file of Ant among them
    "vitest": {"vitest"},
    "xcresult-junit": {"xcodebuild"},
    "xctest-xcpretty": {"xcodebuild"},
    "xunit-plugin-inputs": {"googletest", "testng"},
    "xunitnet": {"dotnet"},
}
OTHERS = ("edge-", "handmade-", "jenkins-xsl-", "not-junit", "spec-examples")  # of many tools, or of none


def shown(path: str) -> str:
    """Return the producer that a file of the corpus shows."""
    assert CORPUS is not None
    with (CORPUS / "junit" / path).open("rb") as stream:
        reading = read(stream, file_name="report.xml")
        try:
            found = [case.framework for case in reading.cases()]
        except Refused:
            return ""
    return max(found, key=found.count) if found else reading.framework


@pytest.mark.shared
@NEEDS_SHARED
def test_each_folder_of_the_corpus_shows_its_producer() -> None:
    found = defaultdict(set)
    for row in table("expected.tsv"):
        folder = row["file"].partition("/")[0]
        if row["status"] == "ok" and not folder.startswith(OTHERS):
            found[folder].add(shown(row["file"]))

    assert {folder: told - {""} for folder, told in found.items() if told != {""}} == SHOWN


@pytest.mark.parametrize(
    ("attributes", "producer"),
    [
        ({"name": "Test Suite", "device": "Pixel 6", "tests": "1", "failures": "0"}, "maestro"),
        ({"name": "Shop.Tests.dll", "tests": "1"}, "dotnet"),
        ({"name": "t/00_compile.t", "tests": "1"}, "tap"),
        ({"name": "carts", "tests": "1", "assertions": "2", "failures": "0"}, "phpunit"),
        ({"name": "carts", "failures": "0", "tests": "1", "assertions": "2"}, "minitest"),
        ({"name": "carts", "tests": "1", "failures": "0"}, ""),
    ],
)
def test_a_suite_shows_its_producer(attributes: dict[str, str], producer: str) -> None:
    assert producers.of_suite(attributes, root={}) == producer


def test_an_order_of_attributes_that_many_write_shows_none_beside_others() -> None:
    names = ("name", "tests", "errors", "failures", "skipped", "time", "timestamp")
    alone = dict.fromkeys(names, "1") | {"timestamp": "2026-11-21T12:28:51.169925"}

    assert producers.of_suite(alone, root={}) == "robot"
    assert producers.of_suite(alone, root={"tests": "4"}) == ""
    assert producers.of_suite(alone | {"timestamp": "2026-11-21T12:28:51Z"}, root={}) == ""


def test_properties_show_their_producer() -> None:
    assert producers.of_property("go.version") == "go"
    assert producers.of_property("specId") == "webdriverio"
    assert producers.of_property("build.number") == ""


# --- the uploader's doctor, a file of its own, tells more of them, but none otherwise

DOCTORS_WORD = {"xcodebuild": "xcode", "unittest": "unittest-xml-reporting"}


@pytest.mark.parametrize(
    ("name", "producer"), [*producers.ROOT_NAMES.items(), *producers.SUITE_NAMES.items()]
)
def test_the_doctor_tells_the_same_tool_by_a_name(name: str, producer: str) -> None:
    assert trophycase.NAMES[name] == DOCTORS_WORD.get(producer, producer)


@pytest.mark.parametrize(("name", "producer"), producers.PROPERTIES.items())
def test_the_doctor_tells_the_same_tool_by_a_property(name: str, producer: str) -> None:
    assert trophycase.PROPERTIES[name] == DOCTORS_WORD.get(producer, producer)


@pytest.mark.parametrize(
    ("order", "producer"), [*producers.SUITE_ORDERS.items(), *producers.LONE_ORDERS.items()]
)
def test_the_doctor_tells_the_same_tool_by_an_order(order: tuple[str, ...], producer: str) -> None:
    told = {tool for suite, _, tool in trophycase.SHAPES if suite == ",".join(order)}

    assert producer in told
