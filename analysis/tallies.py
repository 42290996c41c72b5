"""Drive the judgement of completeness from the rows: compare what a run had with runs like it, keep what it lacks.

Runs after an upload is recorded, in a transaction of its own a run. What is left undone stands in Run: it was judged with
fewer uploads than it has. Runs of the default branch are compared with their like, and all others with one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Protocol

from django.db import connection, transaction
from django.db.models import F, Max, Q

from analysis import counting, gaps
from analysis.answers.of_runs import known_lack
from analysis.completeness import Doubt, Lack, Missing, Tally, is_alike, missing
from analysis.rollups import results_since
from projects.models import Run, RunTally

BATCH = 200  # runs judged before the list is asked again
LATER = 20  # runs after one that came late: what is usual for them may have changed
GROWN = 1.25  # a run is counted again when it has grown by so much, so that many uploads cost a few countings
QUIET = timedelta(minutes=2)  # without a new upload, after which a run is counted whatever its growth
KEPT_DAYS = 100  # of tallies

NAME_OF = """
SELECT suite, coalesce(nullif(file, ''), classname) FROM projects_test
WHERE project_id = %(project_id)s AND (%(suite)s = 0 OR hashtext(suite) = %(suite)s)
    AND (%(home)s = 0 OR hashtext(coalesce(nullif(file, ''), classname)) = %(home)s)
ORDER BY id LIMIT 1
"""


class Whole(Protocol):
    """What to do with the newest run of the default branch, found whole, with new tests, and one of its jobs before."""

    def __call__(self, run: Run, *, here: Tally, before: Tally | None, now: datetime) -> object: ...


def settle(project_id: int, *, now: datetime, is_patient: bool = True, on_whole: Whole | None = None) -> None:
    """Judge the runs that got uploads since they were judged.

    A patient caller comes again: a run that still grows is left for then. `on_whole` is called in the transaction of the
    judgement, so that neither is done without the other.
    """
    for number in _unjudged(project_id):
        with transaction.atomic():
            counting.hold(project_id)
            run = Run.objects.select_related("project").filter(project_id=project_id, number=number).first()
            if run is not None and run.n_judged != run.n_uploads:
                _judge(run, now=now, is_patient=is_patient, on_whole=on_whole)


def rebuild(project_id: int, *, now: datetime) -> None:
    """Count and judge every run again whose results are kept, the oldest first."""
    since = results_since(project_id)
    RunTally.objects.filter(project_id=project_id).delete()
    Run.objects.filter(project_id=project_id, day__gte=since).update(n_judged=0)
    while Run.objects.filter(_waiting(project_id)).exists():
        settle(project_id, now=now, is_patient=False)


def forget(project_id: int, *, now: datetime) -> None:
    """Delete the tallies that no run will be compared with any more."""
    cut = now - timedelta(days=KEPT_DAYS)
    RunTally.objects.filter(project_id=project_id, started_at__lt=cut).delete()


def with_unjudged_runs() -> Sequence[int]:
    """Return the projects that have runs to judge."""
    found = Run.objects.exclude(n_judged=F("n_uploads")).order_by("project_id")
    return list(found.values_list("project_id", flat=True).distinct())


def _waiting(project_id: int) -> Q:
    return Q(project_id=project_id) & ~Q(n_judged=F("n_uploads"))


def _unjudged(project_id: int) -> list[int]:
    found = Run.objects.filter(_waiting(project_id)).order_by("started_at", "number")
    return list(found.values_list("number", flat=True)[:BATCH])


def _judge(run: Run, *, now: datetime, is_patient: bool, on_whole: Whole | None) -> None:
    """Keep what one run lacks. A run that still grows may be left for later."""
    if known := _known(run):
        RunTally.objects.filter(project_id=run.project_id, run_number=run.number).delete()
        _keep(run, known)
    elif run.day < (run.project.results_since or date.min):
        _keep(run, run.incomplete_sentence)
    elif not is_patient or not _still_grows(run, now=now):
        counted = counting.tally(run)
        if counted.is_as_before and not counted.has_new:
            _keep(run, "")
        else:
            _compare(run, now=now, on_whole=on_whole if counted.has_new else None)


def _known(run: Run) -> str:
    """Say what the run lacks for certain, without comparing it."""
    return known_lack(run.n_shards, run.shard_total, is_truncated=run.is_truncated)


def _keep(run: Run, sentence: str) -> None:
    """Keep the judgement, unless another upload came meanwhile: that one has the run judged again."""
    Run.objects.filter(pk=run.pk, n_uploads=run.n_uploads).update(
        is_incomplete=bool(sentence), incomplete_sentence=sentence[:500], n_judged=run.n_uploads
    )


def _still_grows(run: Run, *, now: datetime) -> bool:
    """True for a run that was counted, has hardly grown since, and got an upload a moment ago."""
    if not run.n_judged:
        return False
    counted = RunTally.objects.filter(project_id=run.project_id, run_number=run.number)
    before = counted.values_list("n_tests", flat=True).first()
    if before is None or run.n_tests >= GROWN * before:
        return False
    last = counting.uploads_of(run).aggregate(last=Max("finished_at"))["last"]
    return last is not None and last > now - QUIET


# --- Comparing


def _compare(run: Run, *, now: datetime, on_whole: Whole | None) -> None:
    """Judge the run by those before it, and those after it by what they now have before them."""
    tallies = _around(run)
    place = next(at for at, tally in enumerate(tallies) if tally.run == run.number)
    found = {
        tallies[at].run: missing(tallies[at], reversed(tallies[max(0, at - counting.LOOKED_AT) : at]))
        for at in range(place, len(tallies))
    }
    here = _lack(run.project_id, run.number, found.pop(run.number))
    if here is None and on_whole is not None and place == len(tallies) - 1:
        own = tallies[place]
        alike = (one for one in reversed(tallies[:place]) if is_alike(own, one))
        before = next((one for one in alike if one.jobs.keys() <= own.jobs.keys()), None)
        on_whole(run, here=own, before=before, now=now)
    # The row comes last: whoever follows a rename waits for the project's lock, and who holds that may want the row.
    _keep(run, _sentence(run.project_id, here))
    later = Run.objects.filter(
        project_id=run.project_id, number__in=list(found), n_judged=F("n_uploads")
    ).order_by("number")
    for one in later:
        sentence = _sentence(run.project_id, _lack(run.project_id, one.number, found[one.number]))
        if sentence != one.incomplete_sentence:
            _keep(one, sentence)


def _lack(project_id: int, number: int, found: Missing | Doubt | None) -> Missing | None:
    return gaps.look(project_id, number, found) if isinstance(found, Doubt) else found


def _around(run: Run) -> list[Tally]:
    """Return the tallies of the runs before and after this one, and its own, the oldest first."""
    kind = RunTally.objects.filter(project_id=run.project_id, on_default=run.is_default_branch)
    is_later = Q(started_at__gt=run.started_at) | Q(started_at=run.started_at, run_number__gt=run.number)
    before = list(kind.exclude(is_later).order_by("-started_at", "-run_number")[: counting.LOOKED_AT + 1])
    after = list(kind.filter(is_later).order_by("started_at", "run_number")[:LATER])
    return list(map(_read, [*reversed(before), *after]))


def _read(row: RunTally) -> Tally:
    homes = dict(zip(zip(row.suites, row.homes, strict=True), row.counts, strict=True))
    return Tally(run=row.run_number, homes=homes, jobs=row.jobs, shards=row.shards)


def _sentence(project_id: int, lack: Missing | None) -> str:
    """Say in words what is missing."""
    if lack is None:
        return ""
    if lack.lack is Lack.SHARDS:
        of = f" of {lack.job}" if lack.job else ""
        return f"{lack.n} of the usual {lack.n_usual} shards{of} arrived."
    if lack.lack is Lack.JOB:
        name = f"The job {lack.job}" if lack.job else "The part without a job's name"
        return f"{name} is missing, which usually has {_n_tests(lack.n)}."
    suite, home = _name(project_id, lack)
    if lack.lack is Lack.SUITE:
        return f"The suite {suite or 'without a name'} is missing, which usually has {_n_tests(lack.n)}."
    place = f", most of them from {home}" if home else ""
    share = 100 * lack.n / lack.n_usual
    return f"{lack.n} of the usual {_n_tests(lack.n_usual)} are missing ({share:.1f} %){place}."


def _n_tests(n: int) -> str:
    return f"{n} test{'' if n == 1 else 's'}"


def _name(project_id: int, lack: Missing) -> tuple[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(NAME_OF, {"project_id": project_id, "suite": lack.suite, "home": lack.home})
        found = cursor.fetchone() or ("", "")
    return found[0][:200], found[1][:200]
