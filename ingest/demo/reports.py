"""Reports as their producers write them: pytest, Maven surefire, jest-junit, Playwright, eslint, ruff and k6.

Takes what happened from the story and returns files. Text is joined, not built as a tree: the demo has half
a million cases, and what is written of a passing test differs only in its duration.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import groupby
from xml.sax.saxutils import escape as escape_text

from ingest.demo.story import Damage, Report, Tries
from ingest.demo.suite import DemoTest, Group, dice
from ingest.demo.wording import Wording

NOISE_SIGMA = 0.15  # of the logarithm: what one test's duration varies by from run to run on hosted runners
N_NOISE = 1 << 13

CRASH_LOG = """Error: Cannot find module 'jest-junit'
Require stack:
- /home/runner/work/webshop/webshop/frontend/node_modules/@jest/reporters/build/index.js
    at Module._resolveFilename (node:internal/modules/cjs/loader:1225:15)
npm error code 1 & npm error path <frontend>
"""


def files(report: Report) -> Iterator[tuple[str, bytes]]:
    """Yield the files of the report: their names and bytes."""
    if report.damage is Damage.MALFORMED:
        yield "jest.xml", CRASH_LOG.encode()
        return
    for name, text in _written(report):
        body = text.encode()
        yield name, body[: len(body) * 3 // 5] if report.damage is Damage.TRUNCATED else body


def _written(report: Report) -> Iterator[tuple[str, str]]:
    match report.group:
        case Group.BACKEND_UNIT:
            yield "unit.xml", _pytest(report, xunit1=False)
        case Group.BACKEND_INTEGRATION:
            yield "integration.xml", _pytest(report, xunit1=True)
        case Group.JAVA_UNIT | Group.JAVA_INTEGRATION:
            yield from _surefire(report)
        case Group.FRONTEND | Group.WINDOWS:
            yield "jest.xml", _jest(report)
        case Group.E2E:
            yield "playwright.xml", _playwright(report)
        case Group.ESLINT:
            yield "eslint.xml", _eslint(report)
        case Group.RUFF:
            yield "ruff.xml", _ruff(report)
        case Group.LOAD:
            yield "k6.xml", _k6(report)


# What they share


@cache
def _noise() -> tuple[float, ...]:
    numbers = dice("noise")
    return tuple(numbers.lognormvariate(0.0, NOISE_SIGMA) for _ in range(N_NOISE))


def _durations(report: Report, tests: tuple[DemoTest, ...]) -> list[float]:
    """Return how long each test took this time."""
    noise, first, day, pace = _noise(), report.noise, report.day, report.pace
    return [
        pace * test.seconds_on(day) * noise[(first + position) % N_NOISE]
        for position, test in enumerate(tests)
    ]


@cache
def _quoted(text: str) -> str:
    """Escape for an attribute, once for each text; a line break must survive as a character reference."""
    return escape_text(text, {'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})


def _cdata(text: str) -> str:
    return f"<![CDATA[{text.replace(']]>', ']]]]><![CDATA[>')}]]>"


def _n(report: Report, tests: tuple[DemoTest, ...], *, errors: bool) -> int:
    """Count the tests that ended as failures, or as errors."""
    ends = (report.failing[test] for test in tests if test in report.failing)
    return sum(1 for tries in ends if not tries.passes_at_last and tries.wordings[0].is_error is errors)


def _by_file(tests: tuple[DemoTest, ...]) -> Iterator[tuple[str, tuple[DemoTest, ...]]]:
    """Group the tests by file, in the order of their first test."""
    ordered = sorted(tests, key=lambda test: test.file)
    for file, mine in groupby(ordered, key=lambda test: test.file):
        yield file, tuple(mine)


# pytest


@cache
def _pytest_opening(test: DemoTest, xunit1: bool) -> str:
    place = f' file="{test.file}" line="{len(test.name) * 7 % 180 + 11}"' if xunit1 else ""
    return f'<testcase classname="{test.classname}" name="{_quoted(test.name)}"{place} time="'


def _pytest(report: Report, *, xunit1: bool) -> str:
    """Write one line without breaks, as pytest does; xunit1 has files and lines, xunit2 has not."""
    tests = report.tests
    durations = _durations(report, tests)
    openings = [_pytest_opening(test, xunit1) for test in tests]
    cases = [f'{opening}{seconds:.3f}" />' for opening, seconds in zip(openings, durations, strict=True)]
    for position, test in enumerate(tests):
        if test in report.failing or test.marker or test.skipped:
            cases[position] = _pytest_case(test, report.failing.get(test), durations[position], xunit1=xunit1)
    n_skipped = sum(1 for test in tests if test.skipped)
    return (
        '<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest" '
        f'errors="{_n(report, tests, errors=True)}" '
        f'failures="{_n(report, tests, errors=False)}" skipped="{n_skipped}" '
        f'tests="{len(tests)}" time="{sum(durations):.3f}" timestamp="{report.started_at.isoformat()}" '
        f'hostname="runner-{report.noise % 40}">{"".join(cases)}</testsuite></testsuites>'
    )


def _pytest_case(test: DemoTest, tries: Tries | None, seconds: float, *, xunit1: bool) -> str:
    """Write a test with a body: a marker recorded as a property, a skip, a failure."""
    inner = (
        f'<properties><property name="marker" value="{test.marker}" /></properties>' if test.marker else ""
    )
    if test.skipped:
        inner += (
            f'<skipped type="pytest.skip" message="{_quoted(test.skipped)}">{test.file}:12: '
            f"{test.skipped}</skipped>"
        )
    elif tries is not None:
        wording = tries.wordings[0]
        seconds = wording.seconds or seconds
        element = "error" if wording.is_error else "failure"
        trace = (
            wording.trace if wording.is_error else f"    def {test.name.split('[')[0]}():\n{wording.trace}"
        )
        inner += f'<{element} message="{_quoted(wording.message)}">{escape_text(trace)}</{element}>'
    return f'{_pytest_opening(test, xunit1)}{seconds:.3f}">{inner}</testcase>'


# Maven surefire and failsafe

SUREFIRE_OPENING = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<testsuite '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:noNamespaceSchemaLocation="https://maven.apache.org/surefire/maven-surefire-plugin/'
    'xsd/surefire-test-report.xsd" '
    'version="3.0.2"'
)
SUREFIRE_PROPERTIES = """  <properties>
    <property name="java.specification.version" value="21"/>
    <property name="java.vm.vendor" value="Eclipse Adoptium"/>
    <property name="os.name" value="Linux"/>
    <property name="surefire.rerunFailingTestsCount" value="2"/>
  </properties>
"""


@cache
def _surefire_opening(test: DemoTest) -> str:
    return f'  <testcase name="{_quoted(test.name)}" classname="{test.classname}" time="'


def _surefire(report: Report) -> Iterator[tuple[str, str]]:
    """Write one file for each class."""
    tests = report.tests
    duration_of = dict(zip(tests, _durations(report, tests), strict=True))
    for file, mine in _by_file(tests):
        cases = [_surefire_case(test, report.failing.get(test), duration_of[test]) for test in mine]
        n_skipped = sum(1 for test in mine if test.skipped)
        opening = (
            f'{SUREFIRE_OPENING} name="{mine[0].classname}" '
            f'time="{sum(duration_of[test] for test in mine):.3f}" '
            f'tests="{len(mine)}" errors="{_n(report, mine, errors=True)}" skipped="{n_skipped}" '
            f'failures="{_n(report, mine, errors=False)}">\n'
        )
        yield file, f"{opening}{SUREFIRE_PROPERTIES}{''.join(cases)}</testsuite>"


def _surefire_case(test: DemoTest, tries: Tries | None, seconds: float) -> str:
    opening = _surefire_opening(test)
    if test.skipped:
        return f'{opening}0">\n    <skipped message="{_quoted(test.skipped)}"/>\n  </testcase>\n'
    if tries is None:
        return f'{opening}{seconds:.3f}"/>\n'
    return f'{opening}{tries.wordings[0].seconds or seconds:.3f}">\n{_surefire_tries(tries)}  </testcase>\n'


def _surefire_tries(tries: Tries) -> str:
    """Write the tries: all flaky when the last one passed, else one failure and its reruns."""
    if tries.passes_at_last:
        return "".join(_surefire_try(wording, prefix="flaky") for wording in tries.wordings)
    first, *others = tries.wordings
    element = "error" if first.is_error else "failure"
    failure = (
        f'    <{element} message="{_quoted(first.message)}" '
        f'type="{first.type}">{_cdata(first.trace)}</{element}>\n'
    )
    return failure + "".join(_surefire_try(wording, prefix="rerun") for wording in others)


def _surefire_try(wording: Wording, *, prefix: str) -> str:
    element = prefix + ("Error" if wording.is_error else "Failure")
    return (
        f'    <{element} message="{_quoted(wording.message)}" type="{wording.type}">\n'
        f"      <stackTrace>{_cdata(wording.trace)}</stackTrace>\n    </{element}>\n"
    )


# jest-junit, with a suite a file, and the file on each case


@cache
def _jest_opening(test: DemoTest) -> str:
    return (
        f'    <testcase classname="{_quoted(test.classname)}" name="{_quoted(test.name)}" '
        f'file="{test.file}" time="'
    )


def _jest(report: Report) -> str:
    tests = report.tests
    duration_of = dict(zip(tests, _durations(report, tests), strict=True))
    started_at = report.started_at.strftime("%Y-%m-%dT%H:%M:%S")
    suites = []
    for file, mine in _by_file(tests):
        cases = [_jest_case(test, report.failing.get(test), duration_of[test]) for test in mine]
        n_skipped = sum(1 for test in mine if test.skipped)
        total = sum(duration_of[test] for test in mine)
        opening = (
            f'  <testsuite name="{file}" errors="0" '
            f'failures="{_n(report, mine, errors=False)}" skipped="{n_skipped}" '
            f'timestamp="{started_at}" time="{total:.3f}" tests="{len(mine)}">\n'
        )
        suites.append(f"{opening}{''.join(cases)}  </testsuite>\n")
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="jest tests" tests="{len(tests)}" '
        f'failures="{_n(report, tests, errors=False)}" errors="0" time="{sum(duration_of.values()):.3f}">\n'
        f"{''.join(suites)}</testsuites>"
    )


def _jest_case(test: DemoTest, tries: Tries | None, seconds: float) -> str:
    opening = _jest_opening(test)
    if test.skipped:
        return f'{opening}0">\n      <skipped/>\n    </testcase>\n'
    if tries is None:
        return f'{opening}{seconds:.3f}">\n    </testcase>\n'
    wording = tries.wordings[0]
    failure = f"      <failure>{escape_text(wording.trace)}</failure>\n"
    return f'{opening}{wording.seconds or seconds:.3f}">\n{failure}    </testcase>\n'


# Playwright, with includeRetries


def _playwright(report: Report) -> str:
    tests = report.tests
    duration_of = dict(zip(tests, _durations(report, tests), strict=True))
    started_at = f"{report.started_at:%Y-%m-%dT%H:%M:%S}.{report.noise % 1000:03}Z"
    suites = []
    for file, mine in _by_file(tests):
        cases = [_playwright_case(test, report.failing.get(test), duration_of[test]) for test in mine]
        suites.append(
            f'<testsuite name="{file}" timestamp="{started_at}" hostname="chromium" '
            f"{_playwright_counts(report, mine)} "
            f'time="{sum(duration_of[test] for test in mine):.3f}">\n{"".join(cases)}</testsuite>\n'
        )
    wall = sum(duration_of.values()) / 4  # four browsers at a time
    counts = _playwright_counts(report, tests)
    return f'<testsuites id="" name="" {counts} time="{wall!r}">\n{"".join(suites)}</testsuites>'


def _playwright_counts(report: Report, tests: tuple[DemoTest, ...]) -> str:
    n_skipped = sum(1 for test in tests if test.skipped)
    failures, errors = _n(report, tests, errors=False), _n(report, tests, errors=True)
    return f'tests="{len(tests)}" failures="{failures}" skipped="{n_skipped}" errors="{errors}"'


def _playwright_case(test: DemoTest, tries: Tries | None, seconds: float) -> str:
    start = f'<testcase name="{_quoted(test.name)}" classname="{test.classname}"'
    opening = f'{start} time="'
    if test.skipped:
        mark = (
            f'<properties>\n<property name="{test.skipped}" '
            'value="">\n</property>\n</properties>\n<skipped>\n</skipped>\n'
        )
        return f"{start}>\n{mark}</testcase>\n"
    if tries is None:
        return f'{opening}{seconds:.3f}">\n</testcase>\n'
    first, *others = tries.wordings
    if tries.passes_at_last:
        retries = "".join(_playwright_try(wording, prefix="flaky") for wording in tries.wordings)
        return f'{opening}{seconds:.3f}">\n{retries}</testcase>\n'
    element = "error" if first.is_error else "failure"
    failure = (
        f'<{element} message="{_quoted(first.message)}" '
        f'type="{first.type}">\n{_cdata(first.trace)}\n</{element}>\n'
    )
    retries = "".join(_playwright_try(wording, prefix="rerun") for wording in others)
    return f'{opening}{first.seconds or seconds:.3f}">\n{failure}{retries}</testcase>\n'


def _playwright_try(wording: Wording, *, prefix: str) -> str:
    element = prefix + ("Error" if wording.is_error else "Failure")
    return (
        f'<{element} message="{_quoted(wording.message)}" type="{wording.type}" time="{wording.seconds}">\n'
        f"<stackTrace>\n{_cdata(wording.trace)}\n</stackTrace>\n</{element}>\n"
    )


# Linters and the load test: no durations


def _eslint(report: Report) -> str:
    suites = [_eslint_suite(test, report.failing.get(test)) for test in report.tests]
    return f'<?xml version="1.0" encoding="utf-8"?>\n<testsuites>\n{"".join(suites)}</testsuites>\n'


def _eslint_suite(test: DemoTest, tries: Tries | None) -> str:
    opening = (
        f'<testsuite package="org.eslint" time="0" tests="1" errors="{int(tries is not None)}" '
        f'name="{test.file}">\n'
    )
    if tries is None:
        return (
            f'{opening}<testcase time="0" name="{test.name}" classname="{test.classname}" />\n</testsuite>\n'
        )
    wording = tries.wordings[0]
    rule = wording.trace.rsplit("(", 1)[-1].rstrip(")")
    failure = f'<failure message="{_quoted(wording.message)}">{_cdata(wording.trace)}</failure>'
    return (
        f'{opening}<testcase time="0" name="org.eslint.{rule}" '
        f'classname="{test.classname}">{failure}</testcase>\n'
        "</testsuite>\n"
    )


def _ruff(report: Report) -> str:
    """Write a clean run: ruff then reports one case that says so."""
    test = report.tests[0]
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="ruff" tests="1" skipped="0" failures="0" errors="0">
    <testsuite name="ruff" tests="1" skipped="0" errors="0" failures="0" package="org.ruff">
        <testcase name="{test.name}" classname="{test.classname}"/>
    </testsuite>
</testsuites>
"""


def _k6(report: Report) -> str:
    """Write the thresholds of the summary as cases, as k6's jUnit() does."""
    cases = []
    for test in report.tests:
        tries = report.failing.get(test)
        body = f'><failure message="{_quoted(tries.wordings[0].message)}" /></testcase>' if tries else " />"
        cases.append(f'<testcase name="{_quoted(test.name)}"{body}')
    counts = f'tests="{len(report.tests)}" failures="{len(report.failing)}"'
    return (
        f'<?xml version="1.0"?>\n<testsuites {counts}>\n<testsuite name="k6 thresholds" {counts}>'
        f"{chr(10).join(cases)}\n</testsuite >\n</testsuites >"
    )
