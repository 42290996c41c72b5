"""People may note, own, mute and mend tests, and put back what an incident left out; each deed is kept with a name."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from analysis import decisions, tasks, together
from projects import care
from projects.models import Failure, Flake, Quarantine, Remark, Run
from projects.vocabulary import FlakeStatus, Role
from tests.factories import Shop, a_history, a_shop, a_test_named, failed, passed, record, report, retried

pytestmark = pytest.mark.django_db

FLAKY = "..R.R..R.R."


@pytest.fixture(scope="module")
def kept_shop(rows_of_the_module: None) -> Shop:
    """Return a project with a flaky test."""
    shop = a_shop("Web")
    a_history(shop, FLAKY)
    return shop


@pytest.fixture
def shop(kept_shop: Shop, db: None) -> Shop:
    """Return the module's project, for a test to do with as it likes."""
    return kept_shop.again()


def post(shop: Shop, path: str, client: Client | None = None, **fields: object) -> str:
    """Send a form and return the page that it leads to, with plain spaces."""
    response = (client or shop.browser()).post(f"/p/{shop.project.slug}/{path}", fields, follow=True)
    assert response.status_code == 200, response.content
    return response.content.decode().replace("\u202f", " ").replace("\u00a0", " ")


def of_test(shop: Shop, verb: str, name: str = "adds") -> str:
    """Return the path of a deed on a test."""
    return f"tests/{a_test_named(shop, name).id}/{verb}"


def test_a_note_and_an_owner_are_shown_with_who_wrote_them(shop: Shop) -> None:
    text = post(shop, of_test(shop, "care"), note="Sara looks into it", owner="payments")

    assert "Sara looks into it" in text
    assert f"{shop.owner.username}: wrote the note: Sara looks into it; made payments the owner" in text
    flaky = shop.browser().get(f"/p/{shop.project.slug}/flaky").content.decode()
    assert "owner: payments" in flaky


def test_an_upload_keeps_what_people_decided(shop: Shop) -> None:
    post(shop, of_test(shop, "care"), note="known", owner="payments")

    record(shop, report(failed("adds")), run="later", commit="later")

    flake = Flake.objects.get(project=shop.project)
    assert (flake.note, flake.owner) == ("known", "payments")


def test_muting_lasts_two_weeks_unless_asked_otherwise_and_says_who(shop: Shop) -> None:
    text = post(shop, of_test(shop, "mute"), reason="the bank's sandbox is down", days="14")

    kept = Quarantine.objects.get(project=shop.project)
    assert kept.until_on == timezone.now().date() + timedelta(days=14)
    assert "Muted in CI until" in text
    assert f"by {shop.owner.username}: the bank&#x27;s sandbox is down" in text


@pytest.mark.parametrize("fields", [{"days": "91"}, {"days": "0"}, {"reason": ""}, {"days": "x"}])
def test_a_mute_without_reason_or_out_of_range_is_refused(shop: Shop, fields: dict[str, str]) -> None:
    wanted = {"reason": "r", "days": "14"} | fields
    text = post(shop, of_test(shop, "mute"), reason=wanted["reason"], days=wanted["days"])

    assert "note-error" in text
    assert not Quarantine.objects.exists()


def test_a_test_is_muted_once_at_a_time(shop: Shop) -> None:
    for _ in range(2):
        text = post(shop, of_test(shop, "mute"), reason="r", days="14")

    assert "The test is muted already." in text
    assert Quarantine.objects.count() == 1


def test_unmuting_ends_it_and_keeps_the_record(shop: Shop) -> None:
    post(shop, of_test(shop, "mute"), reason="r", days="14")

    text = post(shop, of_test(shop, "mute"), do="unmute")

    kept = Quarantine.objects.get()
    assert kept.ended_at is not None
    assert kept.ended_by == shop.owner
    assert "The test counts in CI again." in text


def test_a_muted_test_is_listed_with_its_failures_since(shop: Shop) -> None:
    post(shop, of_test(shop, "mute"), reason="sandbox", days="14")
    later = timezone.now() + timedelta(minutes=1)
    record(shop, report(failed("adds")), run="later", commit="x", started_at=later.isoformat())

    listed = shop.browser().get(f"/p/{shop.project.slug}/quarantine").content.decode()
    flaky = shop.browser().get(f"/p/{shop.project.slug}/flaky").content.decode()

    assert "1 test is muted in CI." in listed.replace("\u202f", " ")
    assert 'data-label="runs failed since">1</td>' in listed
    assert "muted until" in flaky


def test_upkeep_ends_what_is_over_and_says_so(shop: Shop) -> None:
    post(shop, of_test(shop, "mute"), reason="r", days="1")
    Quarantine.objects.update(until_on=timezone.now().date() - timedelta(days=1))

    tasks.upkeep()

    assert Quarantine.objects.get().ended_at is not None
    assert Remark.objects.filter(sentence__startswith="the quarantine until", by=None).count() == 1


def test_a_mute_hides_nothing_from_the_statistics(shop: Shop) -> None:
    post(shop, of_test(shop, "mute"), reason="r", days="14")

    record(shop, report(failed("adds")), run="later", commit="x")

    assert Run.objects.get(key="later").n_failed == 1
    assert Failure.objects.filter(run_number=12, test_id=a_test_named(shop, "adds").id).exists()


@pytest.mark.parametrize("verb", ["care", "mute", "fixed"])
def test_viewers_change_nothing(shop: Shop, verb: str) -> None:
    viewer = shop.browser(shop.member(Role.VIEWER))

    response = viewer.post(f"/p/{shop.project.slug}/{of_test(shop, verb)}", {"reason": "r", "days": "3"})

    assert response.status_code == 403
    assert not Remark.objects.exists()
    page = viewer.get(f"/p/{shop.project.slug}/tests/{a_test_named(shop, 'adds').id}").content.decode()
    assert "Mute in CI" not in page


def test_strangers_and_other_projects_find_no_test(shop: Shop) -> None:
    other = a_shop("Other")

    stranger = other.browser().post(
        f"/p/{shop.project.slug}/{of_test(shop, 'mute')}", {"reason": "r", "days": "3"}
    )
    unknown = shop.browser().post(f"/p/{shop.project.slug}/tests/999/mute", {"reason": "r", "days": "3"})

    assert (stranger.status_code, unknown.status_code) == (404, 404)


def test_the_fix_verdict_says_what_the_passes_prove(shop: Shop) -> None:
    text = (
        shop.browser().get(f"/p/{shop.project.slug}/tests/{a_test_named(shop, 'adds').id}").content.decode()
    )

    assert "It failed in 4 of" in text
    assert (
        "with 1\u202fclean run since; were it unfixed" in text
        or "with 1 clean run since; were it unfixed" in text
    )
    assert "95 %." in text


def test_a_fix_counts_the_passes_since_its_commit(shop: Shop) -> None:
    later = timezone.now() + timedelta(minutes=1)
    for n in range(3):
        moment = later + timedelta(minutes=n)
        record(
            shop, report(passed("adds")), run=f"l{n}", commit=f"fix{n}00000", started_at=moment.isoformat()
        )

    text = post(shop, of_test(shop, "fixed"), commit="fix100000")

    flake = Flake.objects.get(project=shop.project)
    assert (flake.fixed_commit, flake.n_quiet) == ("fix100000", 2)
    assert "marked it as fixed at fix100000 (2 passes since)" in text


def test_many_passes_after_a_named_fix_are_believed_sooner(shop: Shop) -> None:
    test_id = a_test_named(shop, "adds").id
    decisions.mark_fixed(shop.project, test_id, commit="fixfix", by=shop.owner, now=timezone.now())
    later = timezone.now() + timedelta(minutes=1)
    for n in range(30):
        moment = later + timedelta(minutes=n)
        record(shop, report(passed("adds")), run=f"l{n}", commit=f"f{n}", started_at=moment.isoformat())

    assert Flake.objects.get(project=shop.project).status == FlakeStatus.FIXED


def test_a_fix_before_a_failure_is_refused(shop: Shop) -> None:
    text = post(shop, of_test(shop, "fixed"), commit="c" + "1".rjust(39, "0"))

    assert "It failed in run #3" in text
    assert Flake.objects.get(project=shop.project).fixed_commit == ""


def test_a_healthy_test_cannot_be_marked_as_fixed(shop: Shop) -> None:
    record(shop, report(passed("fine")), run="fine")

    text = post(shop, of_test(shop, "fixed", "fine"), commit="abcdef")

    assert "Only a test that is flaky now can be marked as fixed." in text


def an_outage(shop: Shop) -> int:
    """Record runs that pass, and one in which the machine fails under all tests; return its number."""
    names = [f"t{n}" for n in range(20)]
    start = timezone.now() - timedelta(hours=8)

    def case(name: str, *, is_bad: bool) -> str:
        place = f"shop.Suite{name}"
        return failed(name, classname=place, message="no host") if is_bad else passed(name, classname=place)

    for n in range(4):
        cases = [case(name, is_bad=n == 3) for name in names]
        moment = start + timedelta(hours=n)
        record(shop, report(*cases), run=f"o{n}", commit=f"o{n}", started_at=moment.isoformat())
    run = Run.objects.get(project=shop.project, key="o3")
    assert run.is_incident
    return run.number


def test_what_an_incident_left_out_is_listed_and_can_be_put_back() -> None:
    shop = a_shop("Web")
    number = an_outage(shop)
    before = shop.browser().get(f"/p/{shop.project.slug}/runs/{number}").content.decode()

    text = post(shop, f"runs/{number}/put-back")

    assert "Left out by the incident (20)" in before
    assert "Put back: the failures of 20 tests count now." in text
    assert f"{shop.owner.username} put back the failures of 20 tests that the incident left out" in text
    assert not Run.objects.get(project=shop.project, number=number).is_incident
    assert not Failure.objects.filter(project=shop.project, in_incident=True).exists()
    assert Flake.objects.filter(project=shop.project).exclude(state=b"").count() == 20
    assert not Flake.objects.filter(project=shop.project, status=FlakeStatus.FLAKY).exists()


def test_one_test_of_an_incident_can_be_put_back_alone() -> None:
    shop = a_shop("Web")
    number = an_outage(shop)
    test_id = a_test_named(shop, "t7").id

    text = post(shop, f"runs/{number}/put-back", test=test_id)

    assert "Put back: the failures of 1 test count now." in text
    assert "Left out by the incident (19)" in text
    assert Run.objects.get(project=shop.project, number=number).is_incident
    kept = Failure.objects.filter(project=shop.project, in_incident=False)
    assert list(kept.values_list("test_id", flat=True)) == [test_id]
    page = shop.browser().get(f"/p/{shop.project.slug}/tests/{test_id}").content.decode()
    assert "put back a test&#x27;s failure that the incident left out" in page
    again = post(shop, f"runs/{number}/put-back", test=test_id)
    assert "The incident leaves out no failure of this test." in again


def test_putting_back_twice_or_as_a_viewer_changes_nothing() -> None:
    shop = a_shop("Web")
    number = an_outage(shop)
    viewer = shop.browser(shop.member(Role.VIEWER))

    assert viewer.post(f"/p/{shop.project.slug}/runs/{number}/put-back").status_code == 403
    post(shop, f"runs/{number}/put-back")
    text = post(shop, f"runs/{number}/put-back")

    assert "No incident of this run leaves anything out." in text
    assert Remark.objects.count() == 1


def test_tests_that_flake_together_are_one_entry() -> None:
    shop = a_shop("Web")
    end = timezone.now()
    for day, word in enumerate(FLAKY):
        make = retried if word == "R" else passed
        cases = [make(name, classname=f"shop.{name}") for name in ("a", "b")]
        moment = end - timedelta(days=len(FLAKY) - day)
        record(shop, report(*cases), run=f"r{day}", commit=f"c{day}", started_at=moment.isoformat())

    together.join(shop.project.pk, today=end.date())

    text = shop.browser().get(f"/p/{shop.project.slug}/flaky").content.decode().replace("\u202f", " ")
    assert set(Flake.objects.filter(project=shop.project).values_list("cluster", flat=True)) == {
        a_test_named(shop, "a").id
    }
    assert "flakes together with 1 test" in text
    assert "2 tests are flaky" in text
    response = shop.browser().get(f"/p/{shop.project.slug}/flaky?format=csv")
    body = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    assert len(list(csv.DictReader(io.StringIO(body)))) == 2


def test_the_overview_and_the_flaky_page_count_alike(shop: Shop) -> None:
    overview = shop.browser().get(f"/p/{shop.project.slug}/").content.decode().replace("\u202f", " ")
    flaky = shop.browser().get(f"/p/{shop.project.slug}/flaky").content.decode().replace("\u202f", " ")

    assert re.findall(r'>Flaky</a>.*?tile-value">(\d+)<', overview, re.S) == ["1"]
    assert "1 test is flaky" in flaky


def test_expiry_touches_no_other_project(shop: Shop) -> None:
    post(shop, of_test(shop, "mute"), reason="r", days="1")
    Quarantine.objects.update(until_on=timezone.now().date() - timedelta(days=1))

    assert care.expire(a_shop("Other").project.pk, now=timezone.now()) == 0
    assert Quarantine.objects.get().ended_at is None


def test_an_outage_that_a_later_attempt_passed_is_left_out_and_not_flaky() -> None:
    shop = a_shop("Web")
    number = an_outage(shop)
    cases = [passed(f"t{n}", classname=f"shop.Suitet{n}") for n in range(20)]
    record(shop, report(*cases), run="o3", commit="o3", attempt="2")

    text = shop.browser().get(f"/p/{shop.project.slug}/runs/{number}").content.decode()

    assert "Left out by the incident (20)" in text
    assert "Flaky here" not in text
