"""What is known of the tools that write reports: how to tell them, and which of their names say nothing.

A producer is told from what its reports say of themselves, never from a file's name. Knows attributes, no
XML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
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
    "CloudFormation Lint": "cfn-lint",
    "bats": "bats",
    "jest tests": "jest",
    "TestCafe Tests": "testcafe",
    "karma": "karma",
    "k6 thresholds": "k6",
}
PROPERTIES = {
    "go.version": "go",
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
JVM = frozenset({"surefire", "gradle", "junit5", "testng"})
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
    return ROOT_NAMES.get(attributes.get("name", ""), "")


def of_suite(attributes: Mapping[str, str], *, root: Mapping[str, str]) -> str:
    """Return the producer that a suite shows, else an empty string."""
    name = attributes.get("name", "")
    if found := SUITE_NAMES.get(name):
        return found
    if any(key.endswith(SCHEMA) and "surefire" in value for key, value in attributes.items()):
        return "surefire"
    if "doctest_version" in attributes:
        return "doctest"
    if attributes.get("package") == "org.eslint":
        return "eslint"
    if "id" in root and "name" in root and "hostname" in attributes and SCRIPT.search(name):
        return "playwright"
    if SCRIPT.search(attributes.get("file", "")) and ".cy." in attributes["file"]:
        return "cypress"
    return ""


def of_property(name: str) -> str:
    """Return the producer that a suite's property gives away, else an empty string."""
    return PROPERTIES.get(name, "")


@lru_cache(maxsize=20_000)
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
