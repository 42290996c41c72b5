"""How often a web process looks for cycles of objects: seldom, and never among what lives as long as the process.

A page makes some hundred thousand objects and few cycles; with Python's own thresholds the collector would walk over it a hundred
times, and now and then over everything that was ever imported.
"""

from __future__ import annotations

import gc

NEW_OBJECTS, YOUNG, MIDDLE = 50_000, 20, 50


def seldom() -> None:
    """Leave what is loaded by now out of sight, and look at the rest seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, YOUNG, MIDDLE)
