"""How large a bench is made: TROPHYCASE_BENCH_SCALE=0.1 makes each a tenth, for a look at whether it works."""

from __future__ import annotations

import os

SCALE = float(os.environ.get("TROPHYCASE_BENCH_SCALE", "1"))


def scaled(number: int, *, least: int = 1) -> int:
    """Return the number at the scale that is asked for."""
    return max(least, round(number * SCALE))
