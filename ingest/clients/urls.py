"""The addresses that clients of other services know, as they know them."""

from __future__ import annotations

from ingest.clients import buildkite, codecov, datadog, flaky_detector, jux, launchable, mergify

urlpatterns = [
    *buildkite.urls,
    *codecov.urls,
    *datadog.urls,
    *flaky_detector.urls,
    *jux.urls,
    *launchable.urls,
    *mergify.urls,
]
