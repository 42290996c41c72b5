"""Settings: what each role may read and change, and that nothing is kept before its consequences were seen."""

from __future__ import annotations

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from projects.models import LayerRule, Membership, Project, Result, Token
from projects.tasks import end_project
from projects.vocabulary import Layer, Role, RuleField, TargetKind
from tests.factories import Shop, a_person, a_shop, a_test_named, passed, record, report

pytestmark = pytest.mark.django_db

PAGES = ("rules", "targets", "limits", "tokens", "trust", "members", "reports", "channels", "danger")
PYRAMID = {f"{layer}_{end}": "" for layer in ("unit", "integration", "e2e") for end in ("low", "high")}
LIMITS = {
    "unit_fast_s": "0.01",
    "unit_slow_s": "0.1",
    "integration_fast_s": "0.1",
    "integration_slow_s": "1",
    "e2e_fast_s": "5",
    "e2e_slow_s": "30",
    "unknown_fast_s": "0.1",
    "unknown_slow_s": "1",
    "static_fast_s": "1",
    "static_slow_s": "10",
    "integration_budget_s": "300",
}
RULE = {"field": "path", "syntax": "glob", "pattern": "shop/**", "layer": "e2e"}


@pytest.fixture
def shop() -> Shop:
    """Return a project."""
    return a_shop("Web")


def url(page: str) -> str:
    """Return the address of one page of the settings."""
    return f"/p/web/settings/{page}"


def fresh(shop: Shop) -> Project:
    """Return the project as it is kept."""
    return Project.objects.get(pk=shop.project.pk)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("role", list(Role))
def test_every_member_may_read_the_settings(shop: Shop, name: str, role: Role) -> None:
    assert shop.browser(shop.member(role)).get(url(name)).status_code == 200


@pytest.mark.parametrize("name", PAGES)
def test_strangers_find_no_settings(shop: Shop, name: str) -> None:
    assert shop.browser(a_person()).get(url(name)).status_code == 404
    assert Client().get(url(name)).status_code == 302


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("rules", Role.VIEWER),
        ("targets", Role.VIEWER),
        ("limits", Role.VIEWER),
        ("reports", Role.VIEWER),
        ("tokens", Role.EDITOR),
        ("trust", Role.EDITOR),
        ("members", Role.EDITOR),
        ("danger", Role.EDITOR),
    ],
)
def test_a_role_too_low_gets_a_sentence_that_says_so(shop: Shop, name: str, role: Role) -> None:
    answer = shop.browser(shop.member(role)).post(url(name), {"name": "x"})

    assert answer.status_code == 403
    assert "This needs the role" in answer.content.decode()


def test_a_rule_is_not_kept_before_its_consequences_were_seen(shop: Shop) -> None:
    record(shop, report(passed("adds", classname="shop.cart.Cart")))
    browser = shop.browser()

    early = browser.post(url("rules"), {**RULE, "do": "save"})

    assert "These rules would move 1 test." in early.content.decode()
    assert not LayerRule.objects.exists()


def test_a_draft_that_was_seen_is_kept_and_asks_for_every_test_to_be_weighed(shop: Shop) -> None:
    browser = shop.browser()
    seen = re.search(r'name="seen" value="(\w+)"', browser.post(url("rules"), RULE).content.decode())
    assert seen is not None

    answer = browser.post(url("rules"), {**RULE, "do": "save", "seen": seen[1]})

    assert answer.status_code == 302
    assert [(rule.pattern, rule.layer) for rule in LayerRule.objects.all()] == [("shop/**", Layer.E2E)]
    assert fresh(shop).reclassify_wanted_at is not None


def test_a_draft_that_was_changed_after_it_was_seen_is_shown_again(shop: Shop) -> None:
    browser = shop.browser()
    seen = re.search(r'name="seen" value="(\w+)"', browser.post(url("rules"), RULE).content.decode())
    assert seen is not None

    browser.post(url("rules"), {**RULE, "pattern": "other/**", "do": "save", "seen": seen[1]})

    assert not LayerRule.objects.exists()


def test_a_pattern_that_cannot_be_read_is_refused_beside_its_field(shop: Shop) -> None:
    answer = shop.browser().post(url("rules"), {**RULE, "syntax": "regex", "pattern": "(", "do": "preview"})

    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.content.decode()


def test_rules_move_up_and_go_within_the_draft(shop: Shop) -> None:
    two = {name: [value, value] for name, value in RULE.items()} | {"pattern": ["first/**", "second/**"]}
    browser = shop.browser()

    up = browser.post(url("rules"), {**two, "do": "up:2"}).content.decode()
    gone = browser.post(url("rules"), {**two, "do": "delete:1"}).content.decode()

    assert up.index("second/**") < up.index("first/**")
    assert 'value="first/**"' not in gone


def test_rules_are_taken_as_text(shop: Shop) -> None:
    toml = '[[rule]]\nfield = "name"\npattern = "it_*"\nlayer = "integration"\n'

    answer = shop.browser().post(url("rules"), {"do": "text", "toml": toml})
    bad = shop.browser().post(url("rules"), {"do": "text", "toml": "[[rule]\n"})

    assert 'value="it_*"' in answer.content.decode()
    assert bad.status_code == 422


def test_rules_go_out_as_a_file_and_come_back_as_one(shop: Shop) -> None:
    browser = shop.browser()
    a_kept_rule(shop)
    sent = browser.get(url("rules") + "?format=toml")

    answer = browser.post(
        url("rules"), {"do": "text", "file": SimpleUploadedFile("rules.toml", sent.content)}
    )

    assert sent["Content-Disposition"].startswith("attachment")
    assert 'value="it_*"' in answer.content.decode()
    assert "The kept rules say the same." in answer.content.decode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\x00", "The file is not text in UTF-8."),
        (b"x" * 300_000, "rules have at most"),
        (b'[[rule]]\nfield = "nowhere"\npattern = "x"\nlayer = "unit"\n', "Rule 1"),
        (b'[[rule]]\nfield = "name"\nsyntax = "regex"\npattern = "("\nlayer = "unit"\n', "Rule 1"),
    ],
)
def test_a_file_that_holds_no_rules_is_refused_with_the_reason(shop: Shop, content: bytes, said: str) -> None:
    answer = shop.browser().post(url("rules"), {"do": "text", "file": SimpleUploadedFile("r.toml", content)})

    assert answer.status_code == 422
    assert said in answer.content.decode()


def test_how_far_the_weighing_is_can_be_seen(shop: Shop) -> None:
    Project.objects.filter(pk=shop.project.pk).update(
        reclassify_wanted_at=timezone.now(), n_tests=2000, n_reclassified=500
    )

    for name in ("rules", "limits"):
        assert 'aria-label="25 % done"' in shop.browser().get(url(name)).content.decode()


def a_kept_rule(shop: Shop) -> None:
    LayerRule.objects.create(
        project=shop.project, position=1, field=RuleField.NAME, pattern="it_*", layer=Layer.INTEGRATION
    )


def test_a_built_in_target_is_kept(shop: Shop) -> None:
    shop.browser().post(url("targets"), {**PYRAMID, "kind": "trophy"})

    assert fresh(shop).target_kind == TargetKind.TROPHY


def test_custom_bands_are_kept_as_shares(shop: Shop) -> None:
    bands = {"kind": "custom", **PYRAMID, "unit_low": "60", "unit_high": "90", "e2e_high": "5"}

    shop.browser().post(url("targets"), bands)

    assert fresh(shop).target_bands == {"unit": [0.6, 0.9], "integration": [0, 1], "e2e": [0, 0.05]}


def test_bands_that_no_suite_can_meet_are_refused(shop: Shop) -> None:
    bands = {"kind": "custom", **PYRAMID, "unit_high": "10", "integration_high": "10", "e2e_high": "10"}

    answer = shop.browser().post(url("targets"), bands)

    assert answer.status_code == 422
    assert "less than everything" in answer.content.decode()
    assert fresh(shop).target_kind == TargetKind.PYRAMID


def test_no_target_is_a_choice(shop: Shop) -> None:
    shop.browser().post(url("targets"), {**PYRAMID, "kind": "none"})

    assert fresh(shop).target_kind is None


def test_only_limits_that_differ_from_the_defaults_are_kept(shop: Shop) -> None:
    shop.browser().post(url("limits"), {**LIMITS, "e2e_slow_s": "60", "e2e_budget_s": "600"})

    project = fresh(shop)
    assert project.timing_limits == {"e2e": {"fast_s": 5.0, "slow_s": 60.0}}
    assert project.budgets == {"integration": 300.0, "e2e": 600.0}
    assert project.reclassify_wanted_at is not None


def test_limits_the_wrong_way_round_are_refused(shop: Shop) -> None:
    answer = shop.browser().post(url("limits"), {**LIMITS, "unit_fast_s": "5"})

    assert answer.status_code == 422
    assert "Slow begins above fast." in answer.content.decode()


def test_budgets_alone_weigh_nothing_again(shop: Shop) -> None:
    shop.browser().post(url("limits"), {**LIMITS, "integration_budget_s": ""})

    assert fresh(shop).budgets == {}
    assert fresh(shop).reclassify_wanted_at is None


def test_a_token_is_shown_once_and_works(shop: Shop) -> None:
    browser = shop.browser()
    browser.post(url("tokens"), {"name": "ci-main"})

    first = re.search(r"tc_[\w-]{20,}", browser.get(url("tokens")).content.decode())
    second = re.search(r"tc_[\w-]{20,}", browser.get(url("tokens")).content.decode())

    assert first is not None
    assert second is None
    record(Shop(shop.project, shop.owner, first[0]), report(passed()))


def test_a_revoked_token_is_refused(shop: Shop) -> None:
    token = Token.objects.get(project=shop.project)

    shop.browser().post(url(f"tokens/{token.pk}/revoke"))

    answer = Client().post("/api/v1/uploads", headers={"authorization": f"Bearer {shop.token}"})
    assert answer.status_code == 401


def test_the_token_of_another_project_cannot_be_revoked(shop: Shop) -> None:
    other = Token.objects.get(project=a_shop("Other").project)

    answer = shop.browser().post(url(f"tokens/{other.pk}/revoke"))

    assert answer.status_code == 404
    assert Token.objects.get(pk=other.pk).revoked_at is None


def test_somebody_new_is_invited_with_a_link_that_works_once(shop: Shop) -> None:
    browser, guest = shop.browser(), Client()
    browser.post(url("members"), {"email": "bob@example.org", "role": "editor"})
    link = re.search(r"/join/[\w-]+/[\w-]+", browser.get(url("members")).content.decode())
    assert link is not None

    joined = guest.post(link[0], {"password": "correct horse battery"})
    again = Client().get(link[0])

    assert joined.status_code == 302
    assert guest.get(url("rules")).status_code == 200
    assert again.status_code == 404
    assert Membership.objects.get(user__email="bob@example.org").role == Role.EDITOR


def test_somebody_with_an_account_is_added_without_a_link(shop: Shop) -> None:
    known, browser = a_person(), shop.browser()

    browser.post(url("members"), {"email": known.email.upper(), "role": "viewer"})

    assert "/join/" not in browser.get(url("members")).content.decode()
    assert Membership.objects.filter(project=shop.project, user=known).exists()


def test_the_last_owner_stays(shop: Shop) -> None:
    own = Membership.objects.get(user=shop.owner)

    for change in ({"do": "remove"}, {"do": "role", "role": "viewer"}):
        shop.browser().post(url(f"members/{own.pk}"), change)

    assert Membership.objects.get(pk=own.pk).role == Role.OWNER


def test_a_member_of_another_project_cannot_be_removed(shop: Shop) -> None:
    other = Membership.objects.get(user=a_shop("Other").owner)

    assert shop.browser().post(url(f"members/{other.pk}"), {"do": "remove"}).status_code == 404


def test_the_letters_hour_is_kept(shop: Shop) -> None:
    chosen = {"sends_letter": "on", "letter_weekday": "4", "letter_hour": "7", "time_zone": "Europe/Riga"}

    shop.browser().post(url("reports"), chosen)

    project = fresh(shop)
    assert (project.letter_weekday, project.letter_hour, project.time_zone) == (4, 7, "Europe/Riga")


def test_an_unknown_time_zone_is_refused(shop: Shop) -> None:
    chosen = {"letter_weekday": "4", "letter_hour": "7", "time_zone": "Mars/Olympus"}

    assert shop.browser().post(url("reports"), chosen).status_code == 422


def test_deleting_needs_the_slug_and_takes_everything(shop: Shop) -> None:
    record(shop, report(passed()))
    browser = shop.browser()

    refused = browser.post(url("danger"), {"change": "delete", "slug": "Web"})
    deleted = browser.post(url("danger"), {"change": "delete", "slug": "web"})
    seen = browser.get(url("danger")).status_code
    end_project(project_id=shop.project.pk)

    assert refused.status_code == 422
    assert deleted.status_code == 302
    assert seen == 404
    assert not Project.every.exists()
    assert not Result.objects.exists()


def test_a_saved_rule_is_seen_on_the_test(shop: Shop) -> None:
    record(shop, report(passed("adds", classname="shop.cart.Cart")))
    before = a_test_named(shop, "adds").layer

    preview = shop.browser().post(url("rules"), RULE).content.decode()

    assert before != Layer.E2E
    assert "Cart › adds" in preview


def test_an_owner_says_how_long_data_is_kept() -> None:
    shop = a_shop()
    page = f"/p/{shop.project.slug}/settings/danger"
    wanted = {"change": "keep", "keep_bodies_days": 7, "keep_results_days": 90, "keep_told_days": 60}

    wrong = shop.browser().post(page, {**wanted, "keep_sums_days": 60})
    right = shop.browser().post(page, {**wanted, "keep_sums_days": 365})

    shop.project.refresh_from_db()
    assert (wrong.status_code, right.status_code) == (422, 302)
    assert "for 90 days at least" in wrong.content.decode()
    assert (shop.project.keep_bodies_days, shop.project.keep_sums_days) == (7, 365)
