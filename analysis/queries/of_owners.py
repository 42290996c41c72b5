"""Questions about owners: what tells who a test belongs to, and how many tests each owner has.

What a person wrote on the test's page stands before what its report, or a file of owners, says.
"""

from __future__ import annotations

from collections import Counter

from analysis.answers.of_tests import OwnedTests
from analysis.queries import rows
from analysis.window import Window
from projects.models import Project
from projects.owner_names import key_of, names_of

OWNER = "coalesce(nullif(f.owner, ''), t.owner)"
COUNTS = f"""
SELECT {OWNER}, count(*), count(*) FILTER (WHERE t.flake_status IN (2, 3, 6)) FROM projects_test t
LEFT JOIN projects_flake f ON f.project_id = t.project_id AND f.test_id = t.id
WHERE t.project_id = %(project_id)s AND {OWNER} <> '' AND t.last_main_on BETWEEN %(since)s AND %(until)s
GROUP BY 1 ORDER BY 2 DESC, 1
"""


def owned_tests(project: Project, window: Window) -> tuple[OwnedTests, ...]:
    """Which owners have tests that ran on the default branch in the window, and how many? The largest first."""
    spelt: dict[str, str] = {}
    n_tests: Counter[str] = Counter()
    n_unwell: Counter[str] = Counter()
    for text, n, n_bad in rows.fetch(COUNTS, rows.values_of(project, window)):
        for name in names_of(text):
            key = key_of(name)
            spelt.setdefault(key, name)
            n_tests[key] += n
            n_unwell[key] += n_bad
    ranked = sorted(spelt, key=lambda key: (-n_tests[key], key))
    return tuple(OwnedTests(spelt[key], n_tests[key], n_unwell[key]) for key in ranked)
