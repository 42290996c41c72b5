"""Waits for conditions instead of sleeping: a test is as fast as what it waits for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def wait_until(condition: Callable[[], Value], *, what: str, seconds: float = 30) -> Value:
    """Ask `condition` until it answers something true, and return that; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {seconds:g} s in vain: {what}")
        time.sleep(0.05)
    return value
