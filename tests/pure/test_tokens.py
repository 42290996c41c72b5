"""The palette keeps its promises: contrast in both themes, and layers that colour-blind readers tell apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import pytest

TOKENS = Path(__file__).parents[2] / "static" / "css" / "tokens.css"
PAIR = re.compile(r"--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)")
Color = tuple[float, float, float]

TEXTS = ("ink", "ink-2", "ink-3", "link", "passed", "failed", "error", "skipped", "flaky", "worse", "warn")
GROUNDS = ("ground", "surface")
MARKS = (
    "layer-static",
    "layer-unit",
    "layer-integration",
    "layer-e2e",
    "layer-load",
    "layer-unknown",
    "control-rule",
)
STACKED = ("layer-unit", "layer-integration", "layer-e2e")

# Dichromat simulation in linear RGB, Viénot, Brettel and Mollon 1999 (protan, deutan); tritan after Brettel 1997.
BLINDNESS = {
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.11238, 0.88762, 0), (0.11238, 0.88762, 0), (0.00401, -0.00401, 1)),
    "deutan": ((0.29275, 0.70725, 0), (0.29275, 0.70725, 0), (-0.02234, 0.02234, 1)),
    "tritan": ((1, 0.1461, -0.1461), (0, 0.8592, 0.1408), (0, 0.8592, 0.1408)),
}


def tokens(theme: int) -> dict[str, str]:
    """Return every token's colour in a theme: 0 is light, 1 is dark."""
    return {found[0]: found[1 + theme] for found in PAIR.findall(TOKENS.read_text())}


def linear(color: str) -> Color:
    """Return linear RGB."""
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return red, green, blue


def luminance(color: str) -> float:
    """Return the relative luminance of WCAG."""
    red, green, blue = linear(color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def oklab(color: Color) -> Color:
    """Return the colour where distances are as the eye sees them."""
    red, green, blue = (min(1.0, max(0.0, part)) for part in color)
    cones = (
        0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue,
        0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue,
        0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue,
    )
    long, medium, short = (cone ** (1 / 3) for cone in cones)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def seen(color: str, blindness: Sequence[Sequence[float]]) -> Color:
    """Return what a reader with this blindness sees."""
    rgb = linear(color)
    red, green, blue = (
        sum(weight * part for weight, part in zip(row, rgb, strict=True)) for row in blindness
    )
    return oklab((red, green, blue))


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("ground", GROUNDS)
def test_text_reaches_the_contrast_of_wcag_aa(theme: int, text: str, ground: str) -> None:
    colors = tokens(theme)

    assert contrast(colors[text], colors[ground]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["passed", "failed", "error", "flaky", "warn"])
def test_badges_reach_it_on_their_own_ground(theme: int, name: str) -> None:
    colors = tokens(theme)

    assert contrast(colors[name], colors[f"{name}-ground"]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("mark", MARKS)
def test_marks_stand_out_from_the_surface(theme: int, mark: str) -> None:
    colors = tokens(theme)

    assert contrast(colors[mark], colors["surface"]) >= 3


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("blindness", BLINDNESS)
def test_stacked_layers_differ_for_every_eye(theme: int, blindness: str) -> None:
    colors = tokens(theme)

    for one, other in combinations(STACKED, 2):
        points = seen(colors[one], BLINDNESS[blindness]), seen(colors[other], BLINDNESS[blindness])
        away = sum((a - b) ** 2 for a, b in zip(*points, strict=True)) ** 0.5
        assert away >= 0.1, f"{one} and {other} are {away:.3f} apart"  # 0.02 is what an eye just tells
