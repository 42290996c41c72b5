"""The addresses of the pages: one line a page, the names are those of the navigation."""

from __future__ import annotations

from django.conf import settings
from django.urls import path

from dashboard.views import (
    account,
    budgets,
    care,
    channels,
    compare,
    failures,
    flaky,
    misfits,
    overview,
    projects,
    reading,
    rules,
    runs,
    saved,
    shape,
    slow,
    styleguide,
    tests,
    trust,
    uploads,
)
from dashboard.views import settings as desk

urlpatterns = [
    path("p/<slug:slug>/", overview.overview, name="overview"),
    path("p/<slug:slug>/shape", shape.suite_shape, name="shape"),
    path("p/<slug:slug>/views", saved.save_view, name="view-save"),
    path("p/<slug:slug>/views/<int:view_id>/delete", saved.forget_view, name="view-delete"),
    path("p/<slug:slug>/tests", tests.tests, name="tests"),
    path("p/<slug:slug>/tests/<int:test_id>", tests.test, name="test"),
    path("p/<slug:slug>/flaky", flaky.flaky, name="flaky"),
    path("p/<slug:slug>/failures", failures.failures, name="failures"),
    path("p/<slug:slug>/quarantine", care.quarantine, name="quarantine"),
    path("p/<slug:slug>/tests/<int:test_id>/care", care.keep, name="test-care"),
    path("p/<slug:slug>/tests/<int:test_id>/mute", care.mute, name="test-mute"),
    path("p/<slug:slug>/tests/<int:test_id>/fixed", care.fixed, name="test-fixed"),
    path("p/<slug:slug>/runs/<int:number>/put-back", care.put_back, name="run-put-back"),
    path("p/<slug:slug>/slow", slow.slow, name="slow"),
    path("p/<slug:slug>/budgets", budgets.budgets, name="budgets"),
    path("p/<slug:slug>/misfits/<int:test_id>", misfits.misfit, name="misfit"),
    path("p/<slug:slug>/runs", runs.runs, name="runs"),
    path("p/<slug:slug>/runs/compare", compare.compare, name="compare"),
    path("p/<slug:slug>/runs/<int:number>", runs.run, name="run"),
    path("p/<slug:slug>/uploads", uploads.uploads, name="uploads"),
    path("p/<slug:slug>/uploads/how-to-send", uploads.sending, name="sending"),
    path("p/<slug:slug>/uploads/<uuid:upload_id>", uploads.upload, name="upload"),
    path("p/<slug:slug>/uploads/<uuid:upload_id>/again", uploads.read_again, name="upload-again"),
    path("p/<slug:slug>/settings", desk.first, name="settings"),
    path("p/<slug:slug>/settings/rules", rules.settings_rules, name="settings-rules"),
    path("p/<slug:slug>/settings/targets", desk.targets, name="settings-targets"),
    path("p/<slug:slug>/settings/limits", desk.limits, name="settings-limits"),
    path("p/<slug:slug>/settings/tokens", desk.tokens, name="settings-tokens"),
    path("p/<slug:slug>/settings/tokens/<int:token_id>/revoke", desk.revoke_token, name="token-revoke"),
    path("p/<slug:slug>/settings/trust", trust.trusts, name="settings-trust"),
    path("p/<slug:slug>/settings/trust/<int:trust_id>/end", trust.end_trust, name="trust-end"),
    path("p/<slug:slug>/settings/members", desk.members, name="settings-members"),
    path("p/<slug:slug>/settings/members/<int:membership_id>", desk.member, name="member"),
    path("p/<slug:slug>/settings/reports", desk.reports, name="settings-reports"),
    path("p/<slug:slug>/settings/channels", channels.channels, name="settings-channels"),
    path("p/<slug:slug>/settings/channels/<int:channel_id>", channels.channel, name="channel"),
    path("p/<slug:slug>/settings/channels/links", channels.renew_links, name="links-renew"),
    path("p/<slug:slug>/settings/danger", desk.danger, name="settings-danger"),
    path("", projects.projects, name="projects"),
    path("new", projects.new, name="new-project"),
    path("login", account.login, name="login"),
    path("logout", account.logout, name="logout"),
    path("welcome", account.welcome, name="welcome"),
    path("join/<str:uid>/<str:token>", account.join, name="join"),
    path("account", account.account, name="account"),
    path("account/letters", account.letters, name="account-letters"),
    path("theme", reading.set_theme, name="theme"),
    path("definitions", reading.definitions, name="definitions"),
]

if settings.DEBUG:
    urlpatterns.append(path("styleguide", styleguide.styleguide, name="styleguide"))
