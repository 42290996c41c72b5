"""Every component in every state, from samples made by hand; shown while DEBUG is on.

The samples are frozen answers, so that templates can be looked at without rows.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from django.http import HttpRequest, HttpResponse

from analysis import window as windows
from analysis.answers.of_flakes import FlakeWeek
from analysis.answers.of_suite import TrendWeek
from analysis.answers.of_tests import ResultRow
from analysis.answers.rows import LayerAmount, Page, StripCell, TestRow
from analysis.shape import PYRAMID, TROPHY
from dashboard import charts, duration_chart, filters, page, silhouette
from dashboard.format import Delta, Tone
from dashboard.tiles import Tile
from dashboard.verdicts import Empty
from projects.vocabulary import FlakeStatus, Layer, Outcome, TimingBucket

TODAY = date(2026, 11, 21)
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HISTORIES = ("PPPPPPPPPPPPPPPPPPPP", "PFPPXPPPFPPPXPPPPFPP", "SSSSSSSSSSSSSSSSSSSS", "PPPPEEEF", "", "P")
TITLES = (
    "checkout › pays_with_saved_card",
    "test_a_very_long_name_that_goes_on_and_on_and_never_seems_to_end_because_somebody_generated_it_from"
    "_a_table_of_parameters[currency=EUR-country=LV-method=card-3ds=True-amount=1000000]",
    "اختبار › يدفع بالبطاقة المحفوظة",
    "com.example.search.internal.deeply.nested.packages.IndexesCatalogueIntegrationTest › indexes the catalogue",
    "tax › rounds",
    "x",
)
LAYERS = (Layer.E2E, Layer.UNIT, Layer.INTEGRATION, Layer.INTEGRATION, Layer.UNKNOWN, Layer.STATIC)
STATUSES = (
    FlakeStatus.FLAKY,
    FlakeStatus.HEALTHY,
    FlakeStatus.SUSPECTED,
    FlakeStatus.BROKEN,
    FlakeStatus.FIXED,
    FlakeStatus.ENVIRONMENT_SPECIFIC,
)
AMOUNTS = (
    LayerAmount(Layer.STATIC, 60, 12.0),
    LayerAmount(Layer.UNIT, 1139, 41.0),
    LayerAmount(Layer.INTEGRATION, 310, 115.0),
    LayerAmount(Layer.E2E, 112, 216.0),
    LayerAmount(Layer.UNKNOWN, 41, 9.0),
    LayerAmount(Layer.LOAD, 3, 600.0),
)
MESSAGES = (("success", "Saved."), ("warning", "The token was never used."), ("error", "Send a name."))


def styleguide(request: HttpRequest) -> HttpResponse:
    """Show the style guide."""
    window = windows.read(request.GET.dict(), today=TODAY, default_branch="main")
    rows = [_row(number) for number in range(len(TITLES))]
    context = {
        "window": window,
        "bar": filters.bar(
            window, branches=["main", "release/2"], offers=("q", "layer", "outcome", "bucket", "status")
        ),
        "tiles": _tiles(),
        "shapes": _shapes(),
        "trend": charts.trend(_weeks(), by="count", url="/p/web/tests"),
        "flakes": charts.flake_weeks(_flake_weeks(), url="/p/web/flaky"),
        "durations": duration_chart.durations(_results(), fast_s=5.0, slow_s=30.0, run_url="/p/web/runs/"),
        "rows": Page(tuple(rows), n_total=1602, number=4, size=50),
        "layers": tuple(Layer),
        "outcomes": tuple(Outcome),
        "statuses": tuple(FlakeStatus),
        "empties": _empties(),
        "notes": MESSAGES,
        "at": NOON,
    }
    return page.render(request, "styleguide.html", context)


def _row(number: int) -> TestRow:
    return TestRow(
        id=number + 1,
        title=TITLES[number],
        home=("tests/e2e/checkout.spec.ts", "tests/unit/" + "deep/" * 30 + "test_money.py")[number % 2],
        layer=LAYERS[number],
        confidence=0.9,
        bucket=TimingBucket.SLOW,
        status=STATUSES[number],
        variant="firefox" if number == 3 else "",
        owner="",
        n_results=38,
        n_bad=6 * (number % 2),
        n_skipped=0,
        n_flaky=0,
        median_s=(12.0, 0.004, None, 9.1, 0.25, 0.0)[number],
        p95_s=(41.0, 0.031, None, 9.8, 1.9, 0.0)[number],
        seconds=(10920.0, 1.2, 0.0, 3480.0, 8.0, 0.0)[number],
        last_seen_on=TODAY - timedelta(days=number),
        strip=_strip(HISTORIES[number]),
    )


def _strip(history: str) -> tuple[StripCell, ...]:
    known = {
        "P": Outcome.PASSED,
        "F": Outcome.FAILED,
        "E": Outcome.ERROR,
        "S": Outcome.SKIPPED,
        "X": Outcome.PASSED,
    }
    return tuple(
        StripCell(800 + place, known[letter], letter == "X", NOON - timedelta(days=len(history) - place))
        for place, letter in enumerate(history)
    )


def _tiles() -> list[Tile]:
    return [
        Tile("Tests", "1\u202f602", "#", Delta("+38", "▲", Tone.NEUTRAL), "test"),
        Tile("Pass rate", "98.4\u202f%", "#", Delta("−0.2\u202fpt · within noise"), "pass-rate"),
        Tile(
            "Run time, median",
            "6\u202fm\u00a012\u202fs",
            "#",
            Delta("+48\u202fs", "▲", Tone.WORSE),
            "run-time",
        ),
        Tile("Flaky", "7", "#", Delta("−3", "▼", Tone.BETTER), "flake"),
        Tile("No layer", "–", "#", Delta("–", title="no earlier window to compare with"), "layer"),
    ]


def _shapes() -> list[silhouette.Silhouette]:
    by_count, by_time = silhouette.amounts_by_count(AMOUNTS), silhouette.amounts_by_time(AMOUNTS)
    return [
        silhouette.draw(by_count, PYRAMID, by="count"),
        silhouette.draw(by_time, PYRAMID, by="time"),
        silhouette.draw(by_count, TROPHY, by="count"),
        silhouette.draw(by_count, None, by="count"),
        silhouette.draw(silhouette.amounts_by_count([LayerAmount(Layer.UNIT, 1, 0.1)]), PYRAMID, by="count"),
        silhouette.draw(silhouette.amounts_by_count([]), PYRAMID, by="count"),
    ]


def _weeks() -> list[TrendWeek]:
    monday = date(2026, 9, 7)
    weeks = []
    for number in range(12):
        is_gap = number == 6
        n_tests = (
            {}
            if is_gap
            else {
                Layer.UNIT: 1100 + 3 * number,
                Layer.INTEGRATION: 280 + 3 * number,
                Layer.E2E: 60 + 5 * number,
            }
        )
        weeks.append(TrendWeek(monday + timedelta(weeks=number), n_tests, {}, 0 if is_gap else 26))
    return weeks


def _flake_weeks() -> list[FlakeWeek]:
    monday = date(2026, 9, 7)
    counts = (
        (1, 2, 0),
        (0, 3, 1),
        (1, 2, 0),
        (0, 2, 2),
        (2, 1, 0),
        (0, 3, 0),
        (0, 3, 1),
        (3, 2, 0),
        (1, 4, 2),
        (2, 4, 1),
        (2, 5, 0),
        (3, 4, 1),
    )
    return [FlakeWeek(monday + timedelta(weeks=number), *row) for number, row in enumerate(counts)]


def _results() -> list[ResultRow]:
    history = "PPPFPPXPPPPPFPPPPXPPPPPPFPPPSPPPPXPP"
    cells = _strip(history)
    return [
        ResultRow(
            run_number=cell.run_number,
            test_id=1,
            title=TITLES[0],
            at=cell.at,
            branch="main",
            commit="9f3c1ab0",
            outcome=cell.outcome,
            seconds=30.0 if cell.outcome.is_bad else 9 + (place * 7 % 5),
            n_attempts=2 if cell.is_flaky else 1,
            is_flaky=cell.is_flaky,
            layer=Layer.E2E,
        )
        for place, cell in enumerate(cells)
    ]


def _empties() -> list[Empty]:
    return [
        Empty("No runs on main in the last 7 days. The latest was 12 days ago.", "#", "Show 30 days"),
        Empty("No tests match layer=e2e, q=chekout.", "#", "Clear filters"),
    ]
