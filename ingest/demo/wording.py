"""How each producer words a failure: the frames and lines around an exception, as they are printed.

Knows the looks of pytest, JUnit, jest and Playwright; which failures the demo has is said in failures.py.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    """A failure as its producer words it; `seconds` is how long the test took to fail, if that is unusual."""

    type: str
    message: str
    trace: str
    is_error: bool = False
    seconds: float | None = None


def in_setup(exception: str, message: str, *, frame: str, line: int) -> Wording:
    """Return pytest's error of a fixture."""
    trace = (
        "    @pytest.fixture\n>   def connection(settings):\n\ntests/conftest.py:41: "
        f"\n{'_ ' * 40}\n{frame}:{line}: in connect\n"
        f"    return psycopg.connect(self.dsn, autocommit=False)\nE   {exception}: "
        f"{_indented(message)}\n\n{frame}:{line}: "
        f"{exception.rsplit('.', 1)[-1]}"
    )
    return Wording("", f'failed on setup with "{exception}: {message}"', trace, is_error=True)


def in_python(
    exception: str, message: str, *, path: str, line: int, code: str, frames: tuple[str, ...] = ()
) -> Wording:
    """Return pytest's failure of a test; `frames` lie between the test and the exception."""
    between = "".join(f"{frame}\n" for frame in frames)
    rule = f"\n{path}:{line}: \n{'_ ' * 40}\n{between}" if frames else ""
    shown = f"{exception}: {message}" if exception != "assert" else f"assert {message}"
    last = frames[-1].split(": in ")[0] if frames else f"{path}:{line}"
    name = "AssertionError" if exception == "assert" else exception.rsplit(".", 1)[-1]
    return Wording("", shown, f">       {code}\n{rule}E       {_indented(shown)}\n\n{last}: {name}")


def _indented(message: str) -> str:
    return message.replace("\n", "\nE       ")


def in_java(
    exception: str, message: str, *, classname: str, method: str, line: int, via: str, is_error: bool
) -> Wording:
    """Return surefire's failure: the exception, the frames of the product, the frames of JUnit."""
    file = classname.rsplit(".", 1)[-1]
    trace = (
        f"{exception}: {message}\n\tat {via}\n\tat {classname}.{method}({file}.java:{line})\n"
        "\tat java.base/java.lang.reflect.Method.invoke(Method.java:580)\n"
        "\tat org.junit.platform.engine.support.hierarchical.NodeTestTask.execute(NodeTestTask.java:95)\n"
    )
    return Wording(exception, message, trace, is_error=is_error)


CHECKOUT = "/home/runner/work/webshop/webshop/frontend"
WINDOWS_CHECKOUT = "D:\\a\\webshop\\webshop\\frontend"


def in_jest(
    message: str, *, path: str, line: int, column: int, seconds: float | None = None, home: str = CHECKOUT
) -> Wording:
    """Return jest's failure: a body without message or type."""
    circus = f"{home}/node_modules/jest-circus/build"
    trace = (
        f"Error: {message}\n    at Object.<anonymous> ({home}/{path}:{line}:{column})\n"
        f"    at Promise.then.completed ({circus}/utils.js:298:28)\n"
        f"    at callAsyncCircusFn ({circus}/utils.js:231:10)"
    )
    if home == WINDOWS_CHECKOUT:
        trace = trace.replace("/", "\\")
    return Wording("", "", trace, seconds=seconds)


def in_playwright(
    kind: str, message: str, *, path: str, line: int, code: str, log: str, seconds: float
) -> Wording:
    """Return Playwright's failure: a matcher that was not met, or an exception of the browser."""
    thrown = f"{kind}: " if not kind.startswith("expect.") else ""
    trace = (
        f"{thrown}{message}\n\nCall log:\n{log}\n\n    > {line} |   {code}\n         |   ^\n"
        f"    at /home/runner/work/webshop/webshop/e2e/{path}:{line}:3"
    )
    return Wording(kind, message, trace, is_error=bool(thrown), seconds=seconds)
