"""What the build of a CI system is called, read from what clients of other services say about it. Pure.

The keys are those of the uploader, so that a pipeline which sends by both makes one run. A run joins the jobs and shards of a
build and outlives its re-runs, which come as later attempts where the client tells them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

# A field of the API may be longer than the column: what a client found out by itself is cut, never refused.
LENGTHS = {"branch": 200, "run": 200, "shard": 100, "job": 200, "environment": 200, "pull_request": 50}
LONGEST_URL = 1000
LARGEST = {"attempt": 1_000, "shard_total": 10_000}
COMMIT = re.compile(r"[0-9A-Za-z._-]{1,64}\Z")
LAYERS = frozenset({"static", "unit", "integration", "e2e", "load"})
TAGGED = ("job", "shard", "shard_total", "attempt", "environment", "layer", "run", "pull_request")

GITHUB = re.compile(r"/actions/runs/(\d+)(?:/attempts/(\d+))?")
GITLAB = re.compile(r"/-/pipelines/(\d+)")
AZURE = re.compile(r"/_build/results\?(?:.*&)?buildId=(\d+)")
CIRCLE_WORKFLOW = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
PULL_REFERENCE = re.compile(r"(?:refs/)?(?:pull/|merge-requests/)?(\d+)/(?:merge|head)\Z")
SYSTEMS = {
    **dict.fromkeys(("github", "github_actions", "github-actions", "githubactions"), "github"),
    **dict.fromkeys(("gitlab", "gitlab_ci", "gitlab-ci"), "gitlab"),
    **dict.fromkeys(("azure", "azurepipelines", "azure_pipelines"), "azure"),
    **dict.fromkeys(("circleci", "circle_ci", "circle-ci"), "circleci"),
    **dict.fromkeys(("bitbucket", "bitbucket_pipelines"), "bitbucket"),
    "buildkite": "buildkite",
}
# The variable that names a build on each system, and what the uploader puts before it.
RUNS = {
    "GITHUB_RUN_ID": "github-",
    "CI_PIPELINE_ID": "gitlab-",
    "BUILDKITE_BUILD_ID": "buildkite-",
    "CIRCLE_WORKFLOW_WORKSPACE_ID": "circleci-",  # that of the first try, while each re-run has a workflow of its own
    "CIRCLE_WORKFLOW_ID": "circleci-",
    "BUILD_TAG": "",
}


def build(*, url: str, system: str = "", id: str = "", id_may_repeat: bool = False) -> dict[str, str]:
    """Return `run`, and `attempt` where the address tells it, of a build known by its address, or by system and id.

    A bare number counts the builds of one pipeline on most systems. Where the id is such, and not somebody's own key, the
    address tells builds apart.
    """
    url = url[:LONGEST_URL]
    if found := GITHUB.search(url):
        return {"run": f"github-{found[1]}", "attempt": found[2] or ""}
    for name, pattern in (("gitlab", GITLAB), ("azure", AZURE)):
        if found := pattern.search(url):
            return {"run": f"{name}-{found[1]}"}
    known = SYSTEMS.get(system.lower())
    if known == "circleci":
        workflow = CIRCLE_WORKFLOW.match(id)
        return {"run": f"circleci-{workflow[0]}" if workflow else url or id}
    if known and id:
        return {"run": f"{known}-{id.strip('{}')}"}
    return {"run": url or id if id_may_repeat and (id.isdigit() or not id) else id}


def run_in(environment: Mapping[str, str]) -> str:
    """Return the run that variables of a CI name; an empty text where they name none."""
    named = (f"{start}{environment[name]}" for name, start in RUNS.items() if environment.get(name))
    return next(named, "")


def branch(name: str) -> dict[str, str]:
    """Return `branch`, and `pull_request` where the name gives one away: a fork's prefix, a reference of a merge."""
    bare = name.strip().removeprefix("refs/heads/")
    if found := PULL_REFERENCE.match(bare):
        return {"branch": f"pull/{found[1]}", "pull_request": found[1]}
    _, colon, own = bare.partition(":")
    if colon and own:  # git forbids colons in names, so it can only be `owner:branch`
        return {"branch": own, "pull_request": bare}
    return {"branch": bare}


def tagged(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that are named as fields of the upload API: a way to say what the client has no word for."""
    return {name: value for name in TAGGED if (value := tags.get(name, "").strip())}


def fitting(*sources: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of an upload; a later source wins where it says something, and what cannot be is left out."""
    said: dict[str, str] = {}
    for source in sources:
        said |= {name: value.replace("\0", "").strip() for name, value in source.items() if value.strip()}
    fitted = {name: _cut(said[name], length) for name, length in LENGTHS.items() if name in said}
    if COMMIT.match(said.get("commit", "")):
        fitted["commit"] = said["commit"]
    if said.get("url", "").startswith(("http://", "https://")) and len(said["url"]) <= LONGEST_URL:
        fitted["url"] = said["url"]
    for name, largest in LARGEST.items():
        number = said.get(name, "")
        if number.isascii() and number.isdigit() and 1 <= int(number[:9]) <= largest:
            fitted[name] = number
    if said.get("layer", "").lower() in LAYERS:
        fitted["layer"] = said["layer"].lower()
    return fitted


def _cut(text: str, length: int) -> str:
    """Cut a text so that two long ones stay two."""
    if len(text) <= length:
        return text
    return f"{text[: length - 13]}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
