"""One run of a real tool that writes two formats at once: both are read to the same results."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ingest import readers
from ingest.cases import Case
from projects.vocabulary import Outcome
from tests.clients.sending import Clients, Said, run

pytestmark = pytest.mark.timeout(600)  # the first of them installs the tools

PYTEST = """
import unittest

import pytest


@pytest.fixture
def broken():
    raise RuntimeError("no sandbox")


@pytest.fixture
def leaking():
    yield
    raise RuntimeError("still open")


class TestCart:
    @pytest.mark.parametrize("name", ["a", "b c", "ü/x", "d::e", "f[g]"])
    def test_adds(self, name):
        assert name != "b c", "no blanks"

    class TestEmpty:
        def test_is_empty(self):
            pass


class Old(unittest.TestCase):
    def test_old(self):
        self.assertEqual(1, 2)


def test_needs(broken):
    pass


def test_leaks(leaking):
    pass


@pytest.mark.skip(reason="later")
def test_later():
    pass


@pytest.mark.xfail(reason="known")
def test_known():
    assert False


@pytest.mark.xfail
def test_mended():
    pass


@pytest.mark.xfail(strict=True)
def test_mended_for_good():
    pass
"""
NODE = """
const { describe, it, test } = require("node:test");
const assert = require("node:assert");
describe("cart", () => {
  it("adds", () => {});
  it("pays # with \\\\ card", () => { assert.strictEqual(1, 2); });
  it("ships", { skip: "no truck" }, () => {});
  describe("when empty", () => { it("refuses", () => {}); });
});
test("alone", () => {});
test("throws", () => { throw new Error("boom"); });
"""
JEST = """
describe("cart", () => {
  test("adds", () => {});
  test("pays", () => { expect(1).toBe(2); });
  test.skip("ships", () => {});
  describe("when empty", () => { test.each([1, 2])("refuses %s", () => {}); });
});
"""
# As the page on Jest says; without these jest-junit writes the whole title twice. It calls a to-do passed, CTRF does not.
JEST_JUNIT = {
    "JEST_JUNIT_ADD_FILE_ATTRIBUTE": "true",
    "JEST_JUNIT_CLASSNAME": "{classname}",
    "JEST_JUNIT_TITLE": "{title}",
}
JEST_CONFIG = """
module.exports = {
  reporters: [
    "default",
    ["MODULES/jest-junit", { outputFile: "jest.xml" }],
    ["MODULES/jest-ctrf-json-reporter", { outputDir: ".", outputFile: "jest.json" }],
  ],
};
"""
PLAYWRIGHT = """
import { expect, test } from "@playwright/test";
test.describe("cart", () => {
  test("adds @smoke", async () => {});
  test("pays", async () => { expect(1).toBe(2); });
  test("is flaky", async ({}, info) => { expect(info.retry).toBe(1); });
  test.skip("ships", async () => {});
  test.fixme("is mended later", async () => {});
  test.describe("when empty", () => { test("refuses", { tag: "@slow" }, async () => {}); });
  test("fails as it should", async () => { test.fail(); expect(1).toBe(2); });
});
test("alone", async () => {});
"""
PLAYWRIGHT_CONFIG = """
export default {
  testDir: ".",
  retries: 1,
  reporter: [["junit", { outputFile: "playwright.xml" }], ["json", { outputFile: "playwright.json" }]],
  projects: [{ name: "one" }, { name: "two" }],
};
"""


def read(path: Path, *, said: Said) -> dict[bytes, Case]:
    """Return the cases of a report by the identity of their tests."""
    assert path.is_file(), said.text
    with path.open("rb") as stream:
        found = list(readers.read(stream, file_name=path.name).cases())
    return {case.fingerprint: case for case in found}


def told(cases: dict[bytes, Case]) -> set[tuple[str, str, str, Outcome, int]]:
    """Return what each case says, without its seconds."""
    return {
        (case.classname, case.name, case.variant, case.outcome, len(case.attempts)) for case in cases.values()
    }


def test_pytests_json_is_its_junit_report(python_clients: Clients, tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "test_cart.py").write_text(PYTEST)
    (tmp_path / "test_top.py").write_text("def test_top():\n    pass\n")
    reports = ("--junit-xml=pytest.xml", "--json-report", "--json-report-file=pytest.json")

    said = run(python_clients, tmp_path, "pytest", "-q", "-p", "no:cacheprovider", *reports, environ={})

    mine, theirs = read(tmp_path / "pytest.json", said=said), read(tmp_path / "pytest.xml", said=said)
    assert len(theirs) >= 16
    assert mine.keys() == theirs.keys()
    assert told(mine) == told(theirs)


def test_nodes_tap_is_its_junit_report(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("No node on PATH.")
    (tmp_path / "cart.test.js").write_text(NODE)
    reporters = (
        *("--test-reporter=tap", "--test-reporter-destination=node.tap"),
        *("--test-reporter=junit", "--test-reporter-destination=node.xml"),
    )

    bin_ = Clients(bin=Path(node).parent, folder=tmp_path)
    said = run(bin_, tmp_path, "node", "--test", *reporters, "cart.test.js", environ={})

    mine, theirs = read(tmp_path / "node.tap", said=said), read(tmp_path / "node.xml", said=said)
    assert len(theirs) == 6
    assert mine.keys() == theirs.keys()
    assert told(mine) == told(theirs)


def test_jests_ctrf_is_its_junit_report(node_clients: Clients, tmp_path: Path) -> None:
    modules = node_clients.folder / "node_modules"
    (tmp_path / "jest.config.js").write_text(JEST_CONFIG.replace("MODULES", str(modules)))
    (tmp_path / "cart.test.js").write_text(JEST)

    said = run(node_clients, tmp_path, "jest", "--ci", environ=JEST_JUNIT)

    mine, theirs = read(tmp_path / "jest.json", said=said), read(tmp_path / "jest.xml", said=said)
    assert len(theirs) >= 5
    assert mine.keys() == theirs.keys()
    assert told(mine) == told(theirs)


def test_playwrights_json_is_its_junit_report(node_clients: Clients, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(node_clients.folder / "node_modules")
    (tmp_path / "playwright.config.mjs").write_text(PLAYWRIGHT_CONFIG)
    (tmp_path / "cart.spec.mjs").write_text(PLAYWRIGHT)

    said = run(node_clients, tmp_path, "playwright", "test", environ={})

    mine, theirs = read(tmp_path / "playwright.json", said=said), read(tmp_path / "playwright.xml", said=said)
    assert len(theirs) == 16
    assert mine.keys() == theirs.keys()
    outcomes = {case.fingerprint: case.outcome for case in mine.values()}
    assert outcomes == {case.fingerprint: case.outcome for case in theirs.values()}
    # Its JUnit report tells nothing of a try that another forgave; the JSON does.
    flaky = [case for case in mine.values() if case.name == "cart › is flaky"]
    assert [(case.outcome, len(case.attempts)) for case in flaky] == [(Outcome.PASSED, 1)] * 2
