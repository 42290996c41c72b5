"""Every question asked of the rows, a function each: a project and a window in, a value of analysis.answers out."""

from __future__ import annotations

from analysis.queries.of_buckets import bucket_weeks
from analysis.queries.of_budgets import budget_stories, budgets
from analysis.queries.of_care import care, quarantine, remarks_of_project, remarks_of_run
from analysis.queries.of_causes import causes, causes_of_test
from analysis.queries.of_changes import changes
from analysis.queries.of_comparisons import SHOWN_DIFFERING, comparison, usual_pair
from analysis.queries.of_costs import Costs, costs
from analysis.queries.of_earlier import run_times, test_counts
from analysis.queries.of_failures import boundary_weeks, failures, failures_before
from analysis.queries.of_flakes import flake_totals, flake_weeks, flakes
from analysis.queries.of_letters import of_letter, slower_and_muted
from analysis.queries.of_misfits import misfits
from analysis.queries.of_owners import owned_tests
from analysis.queries.of_plans import marked
from analysis.queries.of_renames import renames
from analysis.queries.of_results import results_of_run, results_of_test
from analysis.queries.of_runs import run, run_counts, runs, verdicts
from analysis.queries.of_shifts import machine, slower
from analysis.queries.of_suite import (
    branches,
    frame,
    layer_amounts,
    projects,
    seen,
    suite,
    suites,
    totals,
)
from analysis.queries.of_summaries import last_runs, new_by_layer, slower_in_run
from analysis.queries.of_tests import test, tests
from analysis.queries.of_time import slow, slow_and_totals, slow_totals
from analysis.queries.of_trend import suites_and_trend, trend
from analysis.queries.of_uploads import arrivals, problem_groups, upload, uploads
from analysis.queries.summed import Told, told

__all__ = [
    "SHOWN_DIFFERING",
    "Costs",
    "Told",
    "arrivals",
    "boundary_weeks",
    "branches",
    "bucket_weeks",
    "budget_stories",
    "budgets",
    "care",
    "causes",
    "causes_of_test",
    "changes",
    "comparison",
    "costs",
    "failures",
    "failures_before",
    "flake_totals",
    "flake_weeks",
    "flakes",
    "frame",
    "last_runs",
    "layer_amounts",
    "machine",
    "marked",
    "misfits",
    "new_by_layer",
    "of_letter",
    "owned_tests",
    "problem_groups",
    "projects",
    "quarantine",
    "remarks_of_project",
    "remarks_of_run",
    "renames",
    "results_of_run",
    "results_of_test",
    "run",
    "run_counts",
    "run_times",
    "runs",
    "seen",
    "slow",
    "slow_and_totals",
    "slow_totals",
    "slower",
    "slower_and_muted",
    "slower_in_run",
    "suite",
    "suites",
    "suites_and_trend",
    "test",
    "test_counts",
    "tests",
    "told",
    "totals",
    "trend",
    "upload",
    "uploads",
    "usual_pair",
    "verdicts",
]
