"""What the pages say of decisions about tests: the fix verdict, and what people did.

Pure: answers in, words out.
"""

from __future__ import annotations

from analysis.answers.of_care import Care
from analysis.verdicts import UNSURE_PASSES
from dashboard.format import commit, count, percent, plural


def fix_sentence(care: Care) -> str:
    """Say what the passes since the last failure prove: "failed 6 of 120; 41 clean runs since; …"."""
    if not care.was_flaky or not care.n_failed:
        return ""
    head = f"It failed in {count(care.n_failed)} of {plural(care.n_tried, 'run')}"
    since = f" since {commit(care.fixed_commit)}, marked as its fix" if care.fixed_commit else " since"
    sure = percent(1 - UNSURE_PASSES)
    if not care.n_quiet:
        needed = plural(care.n_passes_needed, "pass", "passes")
        return f"{head}, the last of them too. {needed} in a row would show a fix with {sure}."
    clean = plural(care.n_quiet, "clean run")
    chance = f"were it unfixed, the chance of that would be {percent(care.p_unfixed)}"
    if not care.is_flaky:
        return f"{head}, with {clean}{since}: taken as fixed; {chance}."
    needed = plural(care.n_passes_needed, "run gives", "runs give")
    return f"{head}, with {clean}{since}; {chance}. {needed} {sure}."
