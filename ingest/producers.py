"""What is known of the tools that write reports: how to tell them, and which of their names say nothing.

A producer is told from what its reports say of themselves, never from a file's name. Knows attributes, no
XML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

ROOT_NAMES = {
    "pytest tests": "pytest",
    "jest tests": "jest",
    "vitest tests": "vitest",
    "Mocha Tests": "mocha",
    "nextest-run": "nextest",
    "AllTests": "googletest",
    "Criterion Tests": "criterion",
    "nunit": "nunit",
    "phpspec": "phpspec",
}
ROOT_FORMS = ((re.compile(r"^xcresult: |\.xctest$"), "xcodebuild"),)
SUITE_NAMES = {
    "pytest": "pytest",
    "mypy": "mypy",
    "ruff": "ruff",
    "flake8": "flake8",
    "rspec": "rspec",
    "nose2-junit": "nose2",
    "nosetests": "nose",
    "Cucumber": "cucumber",
    "JUnit Jupiter": "junit5",
    "JUnit Vintage": "junit5",
    "JUnit Platform Suite": "junit5",
    "MSTestSuite": "dotnet",
    "Mocha Tests": "mocha",
    "Tap-Junit-Suite": "tap",
    "CloudFormation Lint": "cfn-lint",
    "bats": "bats",
    "jest tests": "jest",
    "TestCafe Tests": "testcafe",
    "karma": "karma",
    "k6 thresholds": "k6",
}
# Files and assemblies that one kind of tool alone runs, as names of suites.
SUITE_FORMS = (
    (re.compile(r"\.dll(?:\.|$)"), "dotnet"),
    (re.compile(r"\.bats$"), "bats"),
    (re.compile(r"_test\.dart$"), "dart"),
    (re.compile(r"^t/.+\.t$"), "tap"),
    (re.compile(r"-\d{14}$"), "unittest"),  # unittest-xml-reporting puts the time behind the class
)
# Tools that name nothing of themselves write the attributes of a suite in an order of their own.
SUITE_ORDERS = {
    tuple(order.split()): producer
    for order, producer in (
        ("name tests skipped failures errors timestamp hostname time", "gradle"),
        ("failures time errors skipped tests name", "surefire"),
        ("hostname name tests failures timestamp time errors", "testng"),
        ("name tests failures disabled skipped hostname time timestamp", "ctest"),
        ("failures errors skipped tests time name", "cucumber"),
        ("name tests errors failures skip", "go"),
        ("name id timestamp tests failures errors time", "newman"),
    )
}
# The same, where an order is common: only in a report of that suite alone, written by Python.
PYTHON_TIME = re.compile(r"\.\d{6}$|^$")
LONE_ORDERS = {
    tuple(order.split()): producer
    for order, producer in (
        ("name tests errors failures skipped time timestamp hostname", "behave"),
        ("name tests errors failures skipped time timestamp", "robot"),
        ("errors failures skip tests name", "robot"),
    )
}
PROPERTIES = {
    "ant.library.dir": "ant",
    "clr-version": "dotnet",
    "go.version": "go",
    "random-seed": "catch2",
    "specId": "webdriverio",
    "surefire.test.class.path": "surefire",
    "surefire.real.class.path": "surefire",
}
SCHEMA = "noNamespaceSchemaLocation"
SCRIPT = re.compile(r"\.(?:spec|test|e2e|setup|cy)\.[cm]?[jt]sx?$")
# Names of a suite that every report of the tool has, so that they tell tests apart in no way.
EMPTY_SUITES = frozenset(
    {"pytest", "nose2-junit", "nosetests", "Root Suite", "JUnit Jupiter", "JUnit Vintage"}
)
SOURCE_FILE = re.compile(
    r"\.(?:[cm]?[jt]sx?|py|rb|php|go|rs|java|kt|cs|swift|feature|robot|bats|t|exs?|cc|cpp|c|lua|dart)$"
)
FILE_IN_CLASSNAME = re.compile(
    r"^[\w@.~/\\ -]+?\.(?:[cm]?[jt]sx?|py|rb|php|feature|robot|bats|exs|dart)(?=$|:\d|::)"
)
JVM = frozenset({"surefire", "gradle", "junit5", "testng", "ant"})
CONSTANT_CLASSES = frozenset({"", "test"})  # node:test writes "test" for every case

MARKER_PROPERTIES = frozenset(
    {"marker", "markers", "mark", "marks", "tag", "tags", "category", "categories", "group", "groups"}
)
OWNER_PROPERTIES = frozenset({"owner", "codeowner", "codeowners", "code_owner", "team"})
# Properties of a suite that say something about each of its tests; the rest is the machine's environment.
INHERITED_PROPERTIES = (
    MARKER_PROPERTIES | OWNER_PROPERTIES | {"layer", "level", "test_type", "test-type", "suite_type"}
)
VARIANT_PROPERTIES = frozenset({"browser", "browserName", "browser_name"})
SECRET = re.compile(r"(?i)passw|secret|token|api[_-]?key|credential|private[_-]?key|auth")
TAG = re.compile(r"(?:^|\s)@([A-Za-z][\w.:/-]*)")


def of_root(attributes: Mapping[str, str]) -> str:
    """Return the producer that the root element names, else an empty string."""
    name = attributes.get("name", "")
    return ROOT_NAMES.get(name, "") or _of_form(name, ROOT_FORMS)


def _of_form(name: str, forms: Sequence[tuple[re.Pattern[str], str]]) -> str:
    return next((producer for form, producer in forms if form.search(name)), "")


def of_suite(attributes: Mapping[str, str], *, root: Mapping[str, str]) -> str:
    """Return the producer that a suite shows, else an empty string."""
    name = attributes.get("name", "")
    if found := SUITE_NAMES.get(name):
        return found
    if any(key.endswith(SCHEMA) and "surefire" in value for key, value in attributes.items()):
        return "surefire"
    return _of_attributes(attributes) or _of_script(attributes, root=root) or _of_order(attributes, root=root)


def _of_attributes(attributes: Mapping[str, str]) -> str:
    """Return the producer that alone writes such an attribute, or such a value of it."""
    if "doctest_version" in attributes:
        return "doctest"
    if attributes.get("package") == "org.eslint":
        return "eslint"
    if attributes.get("package") == ".NET Core":
        return "dotnet"
    if attributes.get("hostname") == "tbd":
        return "catch2"
    if "device" in attributes and attributes.get("name") == "Test Suite":
        return "maestro"
    if "assertions" in attributes:
        order = list(attributes)
        return "minitest" if "failures" in order[: order.index("assertions")] else "phpunit"
    return ""


def _of_script(attributes: Mapping[str, str], *, root: Mapping[str, str]) -> str:
    name, file = attributes.get("name", ""), attributes.get("file", "")
    if "id" in root and "name" in root and "hostname" in attributes and SCRIPT.search(name):
        return "playwright"
    return "cypress" if ".cy." in file and SCRIPT.search(file) else ""


def _of_order(attributes: Mapping[str, str], *, root: Mapping[str, str]) -> str:
    if found := _of_form(attributes.get("name", ""), SUITE_FORMS):
        return found
    order = tuple(attributes)
    if not root and order in LONE_ORDERS and PYTHON_TIME.search(attributes.get("timestamp", "")):
        return LONE_ORDERS[order]
    return SUITE_ORDERS.get(order, "")


def of_property(name: str) -> str:
    """Return the producer that a suite's property gives away, else an empty string."""
    return PROPERTIES.get(name, "")


@lru_cache(maxsize=4_000)
def file_of(classname: str, *, suite: str, framework: str) -> str:
    """Return the file that a class name stands for, where its producer makes that plain; for display only."""
    if found := FILE_IN_CLASSNAME.match(classname):
        return found[0]
    if framework == "pytest" and classname and "/" not in classname:
        return _module_file(classname)
    if framework in JVM and "." in classname:
        return classname.partition("$")[0].replace(".", "/") + ".java"
    if SOURCE_FILE.search(suite) and " " not in suite and ("/" in suite or SCRIPT.search(suite)):
        return suite
    return ""


def _module_file(classname: str) -> str:
    parts = classname.split(".")
    while len(parts) > 1 and parts[-1][:1].isupper():
        parts.pop()
    return "/".join(parts) + ".py"


def tags(name: str) -> tuple[str, ...]:
    """Return the tags that a title carries (`pays @smoke`)."""
    return tuple(TAG.findall(name)) if "@" in name else ()


def hidden(name: str, value: str) -> str:
    """Return a property's value, or a note in its place if its name says that it is a secret."""
    return "(hidden)" if SECRET.search(name) else value
