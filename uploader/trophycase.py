#!/usr/bin/env python3
"""Sends test reports from CI to Trophycase, and lets a build pass whose every failure is known to be flaky.

One file, the standard library only, Python 3.8 and later:

    trophycase upload 'reports/**/*.xml'       send reports; never fails the build unless --strict
    trophycase run -- pytest                   run the tests, send the reports, forgive known flakes
    trophycase gate --exit-code 1              ask about a run that was sent already
    trophycase doctor 'reports/**/*.xml'       say what reports lack, and which setting mends it

TROPHYCASE_URL and TROPHYCASE_TOKEN say where to and on whose behalf; a CI that signs for its jobs needs no token. What is
in a report, and what it means, is the server's business; this file knows files, CI systems and networks.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import http.client
import io
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from glob import glob, has_magic
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    Mapping,
    NamedTuple,
    NoReturn,
    Sequence,
    TypeVar,
    cast,
)

VERSION = "0.1.0"
SERVED_BY = ""  # a server that hands out this file writes its own address here

Environ = Mapping[str, str]
Fields = Dict[str, str]

# --- What goes wrong, in words for a CI log


class Trouble(Exception):
    """Something that keeps reports from being taken: what happened, what to do, and whether waiting helps."""

    def __init__(
        self,
        code: str,
        sentence: str,
        advice: str = "",
        *,
        is_passing: bool = False,
        retry_after_s: float = 0,
    ) -> None:
        super().__init__(f"{sentence} {advice}".strip())
        self.code = code
        self.is_passing = is_passing
        self.retry_after_s = retry_after_s


def trouble_of(error: Exception) -> Trouble:
    """Return what went wrong in words, also where nobody thought of it: sending reports must never fail a build."""
    if isinstance(error, Trouble):
        return error
    if isinstance(error, OSError) and error.filename:
        return Trouble("unreadable", f"{error.filename} cannot be read or written ({error.strerror}).")
    advice = "Please tell whoever runs Trophycase."
    return Trouble("internal", f"The uploader failed, not you ({type(error).__name__}: {error}).", advice)


class Voice:
    """Speaks to the person: progress on a terminal, plain lines in a log, and never a token."""

    def __init__(
        self,
        *,
        environ: Environ,
        is_quiet: bool = False,
        is_json: bool = False,
        secrets: Sequence[str] = (),
    ) -> None:
        self._stream = sys.stderr if is_json else sys.stdout
        self._is_quiet = is_quiet
        self._secrets = [secret for secret in secrets if len(secret) > 3]
        self._is_github = environ.get("GITHUB_ACTIONS") == "true" and not is_json
        self._shows_progress = self._stream.isatty() and not is_quiet and not environ.get("CI")
        self.warnings: list[str] = []

    def hide(self, secret: str) -> None:
        """Never print this."""
        self._secrets.append(secret)

    def clean(self, text: str) -> str:
        """Return the text on one line, without secrets and without what a CI would take for a command."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = re.sub(r"[\x00-\x1f\x7f]+", " ", text)
        return re.sub(r"##(?=vso\[|\[|teamcity\[)", "## ", text).strip()

    def say(self, text: str) -> None:
        """Print a line that is not needed when all is well."""
        if not self._is_quiet:
            self._print(f"trophycase: {self.clean(text)}")

    def warn(self, text: str) -> None:
        """Print what the person should know even in a quiet log."""
        text = self.clean(text)
        self.warnings.append(text)
        self._print(f"trophycase: {text}")
        if self._is_github:  # shown beside the job, not only in its log
            self._print(f"::warning title=Trophycase::{text.replace('%', '%25')}")

    def progress(self, text: str) -> None:
        """Show what is being done, on a terminal only."""
        if self._shows_progress:
            self._stream.write(f"\r\x1b[K{self.clean(text)}")
            self._stream.flush()

    def command(self, text: str) -> None:
        """Print a line that is meant for the CI."""
        self._print(text)

    def _print(self, text: str) -> None:
        if self._shows_progress:
            self._stream.write("\r\x1b[K")
        try:
            print(text, file=self._stream, flush=True)
        except UnicodeEncodeError:  # a log in ASCII
            print(text.encode("ascii", "replace").decode(), file=self._stream, flush=True)


# --- Where the tests run: branch, commit, and the key that joins the shards of one run


class Origin(NamedTuple):
    """What the CI says of this job, in the words of the upload API."""

    name: str
    fields: Fields


LONGEST = {
    "branch": 200,
    "commit": 64,
    "run": 200,
    "shard": 100,
    "job": 200,
    "environment": 200,
    "url": 1000,
    "pull_request": 50,
}
FIELDS = (*LONGEST, "shard_total", "attempt", "layer", "started_at")


def origin_of(environ: Environ, *, git: Callable[..., str] | None = None) -> Origin:
    """Return where the tests ran, from the CI's variables first and from git where they are silent."""
    ask = git or ask_git
    nothing: Fields = {}
    name, told = next(
        ((name, read(environ)) for name, is_here, read in SYSTEMS if is_here(environ)), ("git", nothing)
    )
    fields = {key: value for key, value in told.items() if value}
    if fields.get("commit", "HEAD") == "HEAD":  # Buildkite says HEAD for builds started by hand
        fields["commit"] = ask("rev-parse", "HEAD")
    if not fields.get("branch"):
        branch = ask("rev-parse", "--abbrev-ref", "HEAD")
        fields["branch"] = "" if branch == "HEAD" else branch
    fields["branch"] = bare_branch(fields["branch"])
    return Origin(name, {key: value for key, value in fields.items() if value})


def ask_git(*arguments: str) -> str:
    """Return what git answers, or nothing where there is no git or no repository."""
    try:
        answer = subprocess.run(
            ["git", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.decode(errors="replace").strip() if answer.returncode == 0 else ""


def bare_branch(name: str) -> str:
    """Return a branch without what git and CI systems put before it."""
    for prefix in ("refs/heads/", "refs/remotes/origin/", "refs/tags/"):
        if name.startswith(prefix):
            return name[len(prefix) :]
    return name


def _first(environ: Environ, *names: str) -> str:
    """Return the first variable that says something; "false" and what Azure could not fill in say nothing."""
    for name in names:
        value = environ.get(name, "").strip()
        if value and value != "false" and not value.startswith("$("):
            return value
    return ""


def _next(text: str) -> str:
    """Return the number after the one in the text: CI systems count from 0, people from 1."""
    return str(int(text) + 1) if text.isdigit() else ""


def _key(system: str, *parts: str) -> str:
    return "-".join((system, *parts)) if all(parts) else ""


def _github(environ: Environ) -> Fields:
    event = _json_file(environ.get("GITHUB_EVENT_PATH", ""))
    if environ.get("GITHUB_EVENT_NAME") == "workflow_run" and isinstance(event.get("workflow_run"), dict):
        return {**_github_matrix(environ), **_github_other_run(event)}
    home = f"{environ.get('GITHUB_SERVER_URL', '')}/{environ.get('GITHUB_REPOSITORY', '')}"
    run_id = _first(environ, "GITHUB_RUN_ID")
    reference = _first(environ, "GITHUB_REF")
    pull = re.match(r"refs/pull/(\d+)/", reference)
    number = pull.group(1) if pull else _pull_number(event)
    return {
        "branch": _first(environ, "GITHUB_HEAD_REF") or ("" if pull else reference),
        # The merge commit of a pull request: it is what the tests saw, and only equal code can prove a flake.
        "commit": _first(environ, "GITHUB_SHA"),
        "run": _key("github", run_id),
        "attempt": _first(environ, "GITHUB_RUN_ATTEMPT"),
        "job": _first(environ, "GITHUB_JOB"),
        "url": f"{home}/actions/runs/{run_id}" if run_id and home.startswith("http") else "",
        "pull_request": number if pull or environ.get("GITHUB_HEAD_REF") else "",
        **_github_matrix(environ),
    }


def _pull_number(event: Mapping[str, Any]) -> str:
    pull = event.get("pull_request")
    number = pull.get("number") if isinstance(pull, dict) else event.get("number")
    return str(number or "")


def _github_other_run(event: Mapping[str, Any]) -> Fields:
    """Speak for the workflow whose artifacts this one sends: the safe way for forks, which get no secrets."""
    run = event["workflow_run"]
    pulls = run.get("pull_requests") or [{}]
    head, own = run.get("head_repository") or {}, event.get("repository") or {}
    is_fork = head.get("full_name") != own.get("full_name")
    fork = f"{(head.get('owner') or {}).get('login', 'fork')}:{run.get('head_branch', '')}"[:50]
    return {
        "branch": run.get("head_branch") or "",
        "commit": run.get("head_sha") or "",
        "run": _key("github", str(run.get("id") or "")),
        "attempt": str(run.get("run_attempt") or ""),
        "url": run.get("html_url") or "",
        "pull_request": str(pulls[0].get("number") or (fork if is_fork else "")),
    }


SHARD_NAMES = re.compile(r"(?i)^(?:shard|shard[_-]?index|group|split|partition|slice|node[_-]?index)$")
TOTAL_NAMES = re.compile(
    r"(?i)^(?:shards|n[_-]?shards|shard[_-]?(?:total|count)|total[_-]?shards|groups|node[_-]?total)$"
)


def _github_matrix(environ: Environ) -> Fields:
    """Read shard and environment out of the job's matrix, which GitHub gives to no script by itself."""
    try:
        matrix = json.loads(environ.get("TROPHYCASE_MATRIX") or "null")
    except ValueError:
        matrix = None
    fields: Fields = {}
    words = []
    for name, value in (matrix or {}).items() if isinstance(matrix, dict) else ():
        part = re.match(r"(\d+)\s*(?:/|of)\s*(\d+)$", str(value))
        if SHARD_NAMES.match(name):
            fields["shard"] = part.group(1) if part else str(value)
            if part:
                fields["shard_total"] = part.group(2)
        elif TOTAL_NAMES.match(name):
            fields["shard_total"] = str(len(value) if isinstance(value, list) else value)
        elif isinstance(value, (str, int, float)) and not isinstance(value, bool) and len(str(value)) <= 40:
            words.append(str(value))
    fields["environment"] = " ".join(words)
    return {key: value for key, value in fields.items() if value}


def _json_file(path: str) -> Mapping[str, Any]:
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _gitlab(environ: Environ) -> Fields:
    job = _first(environ, "CI_JOB_NAME")
    legs = re.search(r":? \[(.+)\]$", job)  # parallel:matrix writes "test: [3.12, linux]"
    return {
        "branch": _first(
            environ,
            "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
            "CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_NAME",
            "CI_COMMIT_BRANCH",
            "CI_COMMIT_REF_NAME",
        ),
        "commit": _first(environ, "CI_COMMIT_SHA"),
        "run": _key("gitlab", _first(environ, "CI_PIPELINE_ID")),
        "shard": "" if legs else _first(environ, "CI_NODE_INDEX"),
        "shard_total": "" if legs else _several(environ.get("CI_NODE_TOTAL", "")),
        "job": re.sub(r"(?::? \[.+\]| \d+/\d+)$", "", job),
        "environment": legs.group(1).replace(",", "") if legs else "",
        "url": _first(environ, "CI_PIPELINE_URL", "CI_JOB_URL"),
        "pull_request": _first(environ, "CI_MERGE_REQUEST_IID", "CI_EXTERNAL_PULL_REQUEST_IID"),
    }


def _several(total: str) -> str:
    """Return a number of shards where there is more than one."""
    return total if total.isdigit() and int(total) > 1 else ""


def _jenkins(environ: Environ) -> Fields:
    branch = _first(
        environ, "CHANGE_BRANCH", "ghprbSourceBranch", "BRANCH_NAME", "GIT_LOCAL_BRANCH", "GIT_BRANCH"
    )
    job = _first(environ, "JOB_NAME")
    if environ.get("BRANCH_NAME") and "/" in job:  # the last part is the branch of a multibranch job
        job = job.rpartition("/")[0]
    return {
        "branch": branch[len("origin/") :] if branch.startswith("origin/") else branch,
        "commit": _first(environ, "ghprbActualCommit", "GIT_COMMIT"),
        "run": _first(environ, "BUILD_TAG") or _key("jenkins", job, _first(environ, "BUILD_NUMBER")),
        "job": job,
        "url": _first(environ, "BUILD_URL"),
        "pull_request": _first(environ, "CHANGE_ID", "ghprbPullId"),
    }


def _circleci(environ: Environ) -> Fields:
    # A re-run has a new workflow id and the workspace of the first one. Nothing counts the re-runs, but of uploads that say
    # the same attempt the server takes the later one for a later attempt.
    workflow, workspace = (
        _first(environ, "CIRCLE_WORKFLOW_ID"),
        _first(environ, "CIRCLE_WORKFLOW_WORKSPACE_ID"),
    )
    total = _several(environ.get("CIRCLE_NODE_TOTAL", ""))
    branch = _first(environ, "CIRCLE_BRANCH", "CIRCLE_TAG")
    fork = re.match(r"pull/(\d+)", branch)
    pull = _first(environ, "CIRCLE_PR_NUMBER") or _first(environ, "CIRCLE_PULL_REQUEST").rpartition("/")[2]
    return {
        "branch": branch,
        "commit": _first(environ, "CIRCLE_SHA1"),
        "run": _key("circleci", workspace or workflow),
        "attempt": "2" if workspace and workflow and workspace != workflow else "",
        "shard": _next(_first(environ, "CIRCLE_NODE_INDEX")) if total else "",
        "shard_total": total,
        "job": _first(environ, "CIRCLE_JOB"),
        "url": _first(environ, "CIRCLE_BUILD_URL"),
        "pull_request": pull or (fork.group(1) if fork else ""),
    }


def _buildkite(environ: Environ) -> Fields:
    total = _several(environ.get("BUILDKITE_PARALLEL_JOB_COUNT", ""))
    label = re.sub(r"\s*\(?#?\d+\s*/\s*\d+\)?$", "", _first(environ, "BUILDKITE_LABEL"))
    return {
        "branch": _first(environ, "BUILDKITE_BRANCH"),
        "commit": _first(environ, "BUILDKITE_COMMIT"),
        "run": _key("buildkite", _first(environ, "BUILDKITE_BUILD_ID")),
        "attempt": _next(_first(environ, "BUILDKITE_RETRY_COUNT")),
        "shard": _next(_first(environ, "BUILDKITE_PARALLEL_JOB")) if total else "",
        "shard_total": total,
        "job": _first(environ, "BUILDKITE_STEP_KEY") or label,
        "url": _first(environ, "BUILDKITE_BUILD_URL"),
        "pull_request": _first(environ, "BUILDKITE_PULL_REQUEST"),
    }


def _azure(environ: Environ) -> Fields:
    build = _first(environ, "BUILD_BUILDID")
    collection = _first(environ, "SYSTEM_COLLECTIONURI", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI")
    project = urllib.parse.quote(_first(environ, "SYSTEM_TEAMPROJECT"))
    total = _several(environ.get("SYSTEM_TOTALJOBSINPHASE", ""))
    leg = _first(environ, "SYSTEM_JOBNAME")  # "Job 3" where the phase is only cut into slices
    is_leg = bool(total) and leg != "__default" and not re.match(r"Job ?\d+$", leg)
    return {
        "branch": _first(environ, "SYSTEM_PULLREQUEST_SOURCEBRANCH", "BUILD_SOURCEBRANCH"),
        "commit": _first(environ, "BUILD_SOURCEVERSION"),
        "run": _key("azure", build),
        "attempt": _first(environ, "SYSTEM_JOBATTEMPT"),
        "shard": _first(environ, "SYSTEM_JOBPOSITIONINPHASE") if total and not is_leg else "",
        "shard_total": total if not is_leg else "",
        "job": _first(environ, "SYSTEM_PHASENAME", "AGENT_JOBNAME"),
        "environment": leg if is_leg else "",
        "url": f"{collection.rstrip('/')}/{project}/_build/results?buildId={build}"
        if collection and build
        else "",
        "pull_request": _first(
            environ, "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER", "SYSTEM_PULLREQUEST_PULLREQUESTID"
        ),
    }


def _bitbucket(environ: Environ) -> Fields:
    total = _several(environ.get("BITBUCKET_PARALLEL_STEP_COUNT", ""))
    number, repository = (
        _first(environ, "BITBUCKET_BUILD_NUMBER"),
        _first(environ, "BITBUCKET_REPO_FULL_NAME"),
    )
    home = f"https://bitbucket.org/{repository}/pipelines/results/{number}"
    return {
        "branch": _first(environ, "BITBUCKET_BRANCH", "BITBUCKET_TAG"),
        "commit": _first(environ, "BITBUCKET_COMMIT"),
        "run": _key("bitbucket", _first(environ, "BITBUCKET_PIPELINE_UUID").strip("{}") or number),
        "attempt": _first(environ, "BITBUCKET_STEP_RUN_NUMBER"),
        "shard": _next(_first(environ, "BITBUCKET_PARALLEL_STEP")) if total else "",
        "shard_total": total,
        "url": home if number and repository else "",
        "pull_request": _first(environ, "BITBUCKET_PR_ID"),
    }


def _teamcity(environ: Environ) -> Fields:
    told = _properties(environ.get("TEAMCITY_BUILD_PROPERTIES_FILE", ""))
    told.update(_properties(told.get("teamcity.configuration.properties.file", "")))
    build = told.get("teamcity.build.id", "")
    number = _first(environ, "BUILD_NUMBER")
    server = told.get("teamcity.serverUrl", "")
    branch = told.get("teamcity.pullRequest.source.branch") or told.get("teamcity.build.branch", "")
    return {
        "branch": _first(environ, "GIT_BRANCH") or ("" if branch == "<default>" else branch),
        "commit": _first(environ, "BUILD_VCS_NUMBER"),
        "run": _key(
            "teamcity", build or "-".join(filter(None, [_first(environ, "TEAMCITY_BUILDCONF_NAME"), number]))
        ),
        "job": _first(environ, "TEAMCITY_BUILDCONF_NAME"),
        "url": _first(environ, "BUILD_URL") or (f"{server}/build/{build}" if server and build else ""),
        "pull_request": told.get("teamcity.pullRequest.number", ""),
    }


def _properties(path: str) -> Fields:
    """Read a Java properties file; TeamCity tells the branch nowhere else."""
    try:
        lines = Path(path).read_text(encoding="latin-1").splitlines() if path else []
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    return {key.strip(): re.sub(r"\\(.)", r"\1", value).strip() for key, equals, value in pairs if equals}


def _travis(environ: Environ) -> Fields:
    job = _first(environ, "TRAVIS_JOB_NUMBER").rpartition(".")[2]
    return {
        "branch": _first(environ, "TRAVIS_PULL_REQUEST_BRANCH", "TRAVIS_BRANCH"),
        "commit": _first(environ, "TRAVIS_COMMIT"),
        "run": _key("travis", _first(environ, "TRAVIS_BUILD_ID")),
        "shard": job,
        "job": _first(environ, "TRAVIS_JOB_NAME"),
        "url": _first(environ, "TRAVIS_BUILD_WEB_URL"),
        "pull_request": _first(environ, "TRAVIS_PULL_REQUEST"),
    }


def _drone(environ: Environ) -> Fields:
    return {
        "branch": _first(environ, "DRONE_SOURCE_BRANCH", "DRONE_BRANCH", "DRONE_COMMIT_BRANCH"),
        "commit": _first(environ, "DRONE_COMMIT_SHA", "DRONE_COMMIT"),
        "run": _key("drone", _first(environ, "DRONE_REPO"), _first(environ, "DRONE_BUILD_NUMBER")),
        "job": " ".join(
            filter(None, [_first(environ, "DRONE_STAGE_NAME"), _first(environ, "DRONE_STEP_NAME")])
        ),
        "url": _first(environ, "DRONE_BUILD_LINK"),
        "pull_request": _first(environ, "DRONE_PULL_REQUEST"),
    }


def _woodpecker(environ: Environ) -> Fields:
    number = _first(environ, "CI_PIPELINE_NUMBER", "CI_BUILD_NUMBER")
    parent = _first(environ, "CI_PIPELINE_PARENT")
    # A pipeline that is restarted gets a new number, and the old one is its parent; a deployment has one too.
    is_again = parent not in ("", "0") and environ.get("CI_PIPELINE_EVENT") != "deployment"
    return {
        "branch": _first(environ, "CI_COMMIT_SOURCE_BRANCH", "CI_COMMIT_BRANCH"),
        "commit": _first(environ, "CI_COMMIT_SHA"),
        "run": _key("woodpecker", _first(environ, "CI_REPO"), parent if is_again else number),
        "attempt": "2" if is_again else "",
        "job": " ".join(filter(None, [_first(environ, "CI_WORKFLOW_NAME"), _first(environ, "CI_STEP_NAME")])),
        "url": _first(environ, "CI_PIPELINE_URL", "CI_BUILD_LINK"),
        "pull_request": _first(environ, "CI_COMMIT_PULL_REQUEST"),
    }


def _has(name: str) -> Callable[[Environ], bool]:
    return lambda environ: bool(_first(environ, name))


# The order matters where one imitates the variables of another: GitLab's names are Woodpecker's too.
SYSTEMS: tuple[tuple[str, Callable[[Environ], bool], Callable[[Environ], Fields]], ...] = (
    ("GitHub Actions", _has("GITHUB_ACTIONS"), _github),
    ("Woodpecker", lambda environ: environ.get("CI") == "woodpecker", _woodpecker),
    ("Drone", _has("DRONE"), _drone),
    ("GitLab", _has("GITLAB_CI"), _gitlab),
    ("CircleCI", _has("CIRCLECI"), _circleci),
    ("Buildkite", _has("BUILDKITE"), _buildkite),
    ("Azure Pipelines", _has("TF_BUILD"), _azure),
    ("Bitbucket", _has("BITBUCKET_BUILD_NUMBER"), _bitbucket),
    ("TeamCity", _has("TEAMCITY_VERSION"), _teamcity),
    ("Travis", _has("TRAVIS"), _travis),
    ("Jenkins", _has("JENKINS_URL"), _jenkins),
)


def wishes(origin: Origin, options: Mapping[str, Any], environ: Environ) -> Fields:
    """Return the fields to send: what the person says, then TROPHYCASE_ variables, then the CI; cut to their length."""
    fields = dict(origin.fields)
    for name in FIELDS:
        variable = "TROPHYCASE_BUILD_URL" if name == "url" else f"TROPHYCASE_{name.upper()}"
        said = str(options.get(name) or "").strip() or environ.get(variable, "").strip()
        if said:
            fields[name] = bare_branch(said) if name == "branch" else said
    for name, longest in LONGEST.items():
        if len(fields.get(name, "")) > longest:
            digest = hashlib.sha256(fields[name].encode()).hexdigest()[:16]
            fields[name] = (
                f"{fields[name][: longest - 17]}-{digest}" if name == "run" else fields[name][:longest]
            )
    return fields


# --- Which files


@dataclass
class Found:
    """The reports that the patterns name, what was left out and why, and the patterns that name nothing."""

    files: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)


# Wide patterns catch these; their root elements are those of build and coverage files.
OTHER_ROOTS = frozenset(
    ["project", "coverage", "report", "configuration", "manifest", "module", "settings", "phpunit"]
)


def found(patterns: Iterable[str], *, newer_than: float = 0) -> Found:
    """Find the files of the patterns: `**` for any folders, {a,b} for either, ! for without, a folder for all its XML."""
    answer = Found()
    seen: set[str] = set()
    lines = [line.strip() for pattern in patterns for line in pattern.splitlines() if line.strip()]
    unwanted = {os.path.realpath(path) for line in lines if line[0] == "!" for path in _matches(line[1:])}
    for pattern in (line for line in lines if line[0] != "!"):
        matches = [path for path in _matches(pattern) if os.path.isfile(path)]
        if not matches:
            answer.unmatched.append(pattern)
        is_wide = has_magic(pattern) or "{" in pattern or os.path.isdir(pattern)
        for path in sorted(matches):
            real = os.path.realpath(path)
            if real in seen or real in unwanted or os.path.getmtime(path) < newer_than:
                continue
            seen.add(real)
            why = _why_not(path) if is_wide else ""
            if why:
                answer.left_out.append(f"{path}: {why}")
            else:
                answer.files.append(Path(path))
    return answer


def _matches(pattern: str) -> Iterator[str]:
    pattern = os.path.expanduser(pattern)
    if os.path.isdir(pattern):
        pattern = os.path.join(pattern, "**", "*.xml")
    for plain in braces(pattern):
        yield from glob(plain, recursive=True)


def braces(pattern: str) -> list[str]:
    """Return the patterns that one with {a,b} stands for."""
    choice = re.search(r"\{([^{}]*,[^{}]*)\}", pattern)
    if choice is None:
        return [pattern]
    before, after = pattern[: choice.start()], pattern[choice.end() :]
    return [one for word in choice.group(1).split(",") for one in braces(before + word + after)]


def _why_not(path: str) -> str:
    """Say why a file that a wide pattern caught is no report; nothing for one that may be."""
    with open(path, "rb") as file:
        head = file.read(4096)
    if not head.strip():
        return "it is empty"
    root = re.search(rb"<([A-Za-z_][\w.-]*)", re.sub(rb"<!--.*?-->|<\?.*?\?>", b"", head, flags=re.DOTALL))
    name = root.group(1).decode().lower() if root and path.lower().endswith(".xml") else ""
    return f"its root element is <{name}>, which is no test report" if name in OTHER_ROOTS else ""


# --- Packing: files to bodies, the same bytes for the same files every time


@dataclass(frozen=True)
class Parcel:
    """One request: its fields, what is in it, and the body."""

    fields: Fields
    names: tuple[str, ...]
    content_type: str
    body: bytes

    @property
    def digest(self) -> str:
        """Name the parcel by what is in it."""
        words = json.dumps(self.fields, sort_keys=True).encode()
        return hashlib.sha256(words + self.body).hexdigest()[:32]


REPORTS = re.compile(r"(?i)\.(?:xml|junit|trx)(?:\.(?:gz|zst|xz|bz2))?$")
PACKED = (b"\x1f\x8b", b"PK", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ")
MOST_FILES = 2_000  # in one request; the server's own limit is higher
MOST_BYTES = 300_000_000  # of reports before packing; the server refuses what expands to much more


def batches(
    files: Sequence[Path], *, most_files: int = MOST_FILES, most_bytes: int = MOST_BYTES
) -> list[list[Path]]:
    """Share the files out over requests, in their order."""
    shared: list[list[Path]] = []
    size = 0
    for path in files:
        weight = path.stat().st_size
        if not shared or len(shared[-1]) >= most_files or size + weight > most_bytes:
            shared.append([])
            size = 0
        shared[-1].append(path)
        size += weight
    return shared


def packed(files: Sequence[Path], fields: Fields, *, owners: bytes = b"") -> Parcel:
    """Pack files into one request: XML goes into an archive, which keeps the folders; the rest as parts of their own."""
    archived = [path for path in files if REPORTS.search(path.name)]
    parts = [("reports.tar.gz", archive(archived))] if archived else []
    parts += [(path.name, _compressed(path.read_bytes())) for path in files if path not in archived]
    words = json.dumps(fields, sort_keys=True).encode()
    digest = hashlib.sha256(words + owners + b"".join(body for _, body in parts)).hexdigest()
    boundary = f"trophycase{digest[:40]}"
    return Parcel(
        fields=fields,
        names=tuple(path.as_posix() for path in files),
        content_type=f"multipart/form-data; boundary={boundary}",
        body=_multipart(boundary, fields, parts, owners),
    )


def archive(files: Sequence[Path]) -> bytes:
    """Return a tar.gz of the files, without the times and owners that would make every one different."""
    buffer = io.BytesIO()
    zipped = gzip.GzipFile("", "wb", compresslevel=6, fileobj=buffer, mtime=0)
    with zipped, tarfile.open(fileobj=zipped, mode="w|", format=tarfile.GNU_FORMAT) as tar:
        for path in files:
            content = path.read_bytes()
            header = tarfile.TarInfo(path.as_posix().lstrip("/"))
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
    return buffer.getvalue()


def _compressed(content: bytes) -> bytes:
    if content.startswith(PACKED):
        return content
    buffer = io.BytesIO()
    with gzip.GzipFile("", "wb", fileobj=buffer, mtime=0) as zipped:
        zipped.write(content)
    return buffer.getvalue()


def _multipart(boundary: str, fields: Fields, parts: Sequence[tuple[str, bytes]], owners: bytes) -> bytes:
    lines: list[bytes] = []
    for name, value in sorted(fields.items()):
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        lines.append(head.encode() + value.encode("utf-8", "replace") + b"\r\n")
    if owners:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="codeowners"; filename="CODEOWNERS"\r\n\r\n'
        lines.append(head.encode() + owners + b"\r\n")
    for name, body in parts:
        plain = re.sub(r'["\r\n\\]', "_", name)
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{plain}"\r\n'
        lines.append(head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + body + b"\r\n")
    return b"".join(lines) + f"--{boundary}--\r\n".encode()


CODEOWNERS = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")
LARGEST_OWNERS = 1_000_000  # bytes, as the server takes them


def owners_file(said: str, *, folder: Path) -> bytes:
    """Return the repository's CODEOWNERS file, or the one that is named; nothing for "off", or where there is none."""
    if said == "off":
        return b""
    root = next((one for one in (folder, *folder.parents) if (one / ".git").exists()), folder)
    places = [Path(said)] if said else [root / name for name in CODEOWNERS]
    for place in places:
        try:
            content = place.read_bytes()
        except OSError:
            continue
        return content if len(content) <= LARGEST_OWNERS else b""
    return b""


# --- The server


class Answer(NamedTuple):
    """What the server answered."""

    status: int
    body: dict[str, Any]


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirected POST becomes a GET without its report, and a token belongs to one host."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


PASSING = frozenset([408, 425, 429, 500, 502, 503, 504])
SLOWEST_S = 30.0  # a server that says nothing for so long is asked anew
GRACE_S = 5.0  # beyond that for an answer that began in time
MOST_TRIES = 8
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 30.0


class Server:
    """A Trophycase server, asked again with growing pauses until it answers or the time is up."""

    def __init__(
        self,
        url: str,
        ticket: Ticket,
        *,
        project: str = "",
        seconds: float,
        voice: Voice,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url
        self._ticket = ticket
        self._project = project
        self._deadline = time.monotonic() + seconds
        self._voice = voice
        self._sleep = sleep
        self._opener = urllib.request.build_opener(_NoRedirects)

    @property
    def mark(self) -> str:
        """Name server and token without telling the token, so that kept reports go where they were meant to."""
        words = f"{self.url} {self._project} {self._ticket.name}".encode()
        return hashlib.sha256(words).hexdigest()[:16]

    @property
    def seconds_left(self) -> float:
        """Return how long this may still take."""
        return self._deadline - time.monotonic()

    def send(self, parcel: Parcel) -> Answer:
        """Send a parcel; raise Trouble when it was not taken."""
        answer = self.ask("POST", "/api/v1/uploads", parcel.body, content_type=parcel.content_type)
        if "id" not in answer.body or "state" not in answer.body:
            raise _not_trophycase(self.url)
        return answer

    def ask(self, method: str, path: str, body: bytes | None = None, *, content_type: str = "") -> Answer:
        """Ask until there is an answer; raise Trouble for a refusal, or when the time is up."""
        for n_try in range(1, MOST_TRIES + 1):
            try:
                return self._ask_once(method, path, body, content_type=content_type)
            except Trouble as trouble:
                pause = max(trouble.retry_after_s, _pause(n_try))
                if not trouble.is_passing or n_try == MOST_TRIES or pause > self.seconds_left:
                    raise
                self._voice.say(f"{trouble} Trying again in {pause:.0f} s.")
                self._sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _ask_once(self, method: str, path: str, body: bytes | None, *, content_type: str) -> Answer:
        headers = {
            "Authorization": f"Bearer {self._ticket.token()}",
            "User-Agent": f"trophycase-uploader/{VERSION}",
            "Accept": "application/json",
        }
        if content_type:
            headers["Content-Type"] = content_type
        if self._project:
            headers["Trophycase-Project"] = self._project
        request = urllib.request.Request(self.url + path, data=body, headers=headers, method=method)
        seconds = min(SLOWEST_S, max(1.0, self.seconds_left))
        try:
            return within(seconds + GRACE_S, lambda: self._answer(request, seconds))
        except ssl.SSLError as error:
            raise _untrusted(self.url, error) from None
        except (OSError, http.client.HTTPException) as error:
            raise unreachable(self.url, error, proxy=proxy_of(self.url)) from None

    def _answer(self, request: urllib.request.Request, seconds: float) -> Answer:
        try:
            with self._opener.open(request, timeout=seconds) as response:
                return Answer(response.status, _json_body(response.read(LARGEST_ANSWER), url=self.url))
        except urllib.error.HTTPError as error:
            with error:
                raise refusal(error, url=self.url) from None


T = TypeVar("T")
LARGEST_ANSWER = 50_000_000  # bytes


def within(seconds: float, ask: Callable[[], T]) -> T:
    """Return what is answered in time: each read has a limit of its own, but bytes that drip pass every one of them."""
    ended: list[tuple[T | None, BaseException | None]] = []

    def work() -> None:
        try:
            ended.append((ask(), None))
        except BaseException as error:  # noqa: BLE001 - it is raised below
            ended.append((None, error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if not ended:
        raise socket.timeout("no whole answer")
    answer, error = ended[0]
    if error is not None:
        raise error
    return cast("T", answer)


def _pause(n_try: int) -> float:
    """Return a growing pause with jitter: the jobs that a server failed together must not come back together."""
    return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (n_try - 1)) * random.uniform(0.5, 1.0)


def _json_body(raw: bytes, *, url: str) -> dict[str, Any]:
    try:
        body = json.loads(raw.decode("utf-8"))
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise _not_trophycase(url)
    return body


def _not_trophycase(url: str) -> Trouble:
    return Trouble(
        "wrong_host",
        f"{url} answers, but not as Trophycase does.",
        "Set TROPHYCASE_URL (or --url) to the address of your Trophycase, without a path.",
    )


def refusal(error: urllib.error.HTTPError, *, url: str) -> Trouble:
    """Say what an HTTP status means for whoever reads the CI log."""
    try:
        told = json.loads(error.read(100_000).decode("utf-8"))
    except (ValueError, OSError, http.client.HTTPException):
        told = None
    said = str(told.get("message") or "") if isinstance(told, dict) else ""
    code = str(told.get("error") or "") if isinstance(told, dict) else ""
    status = error.code
    if 300 <= status < 400:
        return _redirected(url, error.headers.get("Location", ""))
    if status == 407:
        return _locked_proxy(proxy_of(url))
    if status in PASSING:
        wait = _retry_after(error.headers.get("Retry-After", ""))
        said = said or f"The server is busy or being started (HTTP {status})."
        return Trouble(code or "busy", said, is_passing=True, retry_after_s=wait)
    if status == 401 and code not in ("", "unknown_token", "no_token"):  # the CI's word, not a token of ours
        return Trouble(code, said)
    if status == 401:
        advice = "Copy a token from Settings, Tokens of the project into the CI secret TROPHYCASE_TOKEN."
        return Trouble(
            code or "unknown_token", "The server does not know this token, or it was revoked.", advice
        )
    if status == 404 and not code:
        return _not_trophycase(url)
    if status == 413:
        advice = "Send fewer files at once, or raise the body limit of the server and of the proxy before it."
        return Trouble("too_large", said or "The upload is larger than the server takes (HTTP 413).", advice)
    if said:
        return Trouble(code or str(status), said)
    advice = "If a proxy or a login stands before Trophycase, let /api/v1/ through."
    return Trouble(str(status), f"{url} refuses with HTTP {status}.", advice)


def _redirected(url: str, location: str) -> Trouble:
    target = urllib.parse.urlsplit(urllib.parse.urljoin(url, location))
    home = f"{target.scheme}://{target.netloc.rpartition('@')[2]}"
    if target.path.startswith("/api/v1/"):
        advice = f"Set TROPHYCASE_URL to {home} (redirects are not followed: they would lose the report)."
    else:
        advice = "A proxy or a login stands before Trophycase: let /api/v1/ through."
    return Trouble("redirected", f"{url} redirects to {home}{target.path}.", advice)


def _retry_after(text: str) -> float:
    if text.strip().isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError):
        return 0.0
    return max(0.0, moment.timestamp() - time.time())


NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNSUPPORTED_PROTOCOL", "RECORD_LAYER_FAILURE")


def _untrusted(url: str, error: OSError) -> Trouble:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        advice = "Install the certificate's issuer on the runner, or name its file in SSL_CERT_FILE."
        return Trouble("certificate", f"The certificate of {url} is not trusted here.", advice)
    sentence = f"No secure connection to {url} ({getattr(error, 'reason', '') or error})."
    is_passing = getattr(error, "reason", "") not in NOT_TLS
    return Trouble("tls", sentence, "Is it https, and the port right?", is_passing=is_passing)


def proxy_of(url: str) -> str:
    """Return the proxy that the environment sets before this address, without name and password; nothing where none is."""
    parts = urllib.parse.urlsplit(url)
    if urllib.request.proxy_bypass(parts.hostname or ""):
        return ""
    said = urllib.request.getproxies().get(parts.scheme, "")
    return said.rpartition("://")[2].rpartition("@")[2].rstrip("/")


def unreachable(url: str, error: Exception, *, proxy: str = "") -> Trouble:
    """Say what a failed connection means; all of these may pass."""
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLError):
        return _untrusted(url, reason)
    if "407" in str(reason):
        return _locked_proxy(proxy)
    host = urllib.parse.urlsplit(url).hostname or url
    if proxy:
        sentence = (
            f"{url} cannot be reached through the proxy {proxy} ({str(reason) or type(reason).__name__})."
        )
        advice = f"Check HTTP_PROXY and HTTPS_PROXY, or add {host} to NO_PROXY."
        return Trouble("proxy", sentence, advice, is_passing=True)
    if isinstance(reason, socket.gaierror):
        sentence = f"There is no host named {host}."
    elif isinstance(reason, ConnectionRefusedError):
        sentence = f"Nothing listens at {url}."
    elif isinstance(reason, (socket.timeout, TimeoutError)):
        sentence = f"{url} does not answer in time."
    else:
        sentence = f"{url} cannot be reached ({str(reason) or type(reason).__name__})."
    return Trouble("unreachable", sentence, "Check TROPHYCASE_URL and the runner's network.", is_passing=True)


def _locked_proxy(proxy: str) -> Trouble:
    sentence = f"The proxy {proxy} asks for a name and a password (HTTP 407).".replace("  ", " ")
    return Trouble("proxy", sentence, "Put them into HTTPS_PROXY, or the server's host into NO_PROXY.")


def address(said: str) -> str:
    """Return the server's address from what the person wrote; raise Trouble for what is none."""
    text = said.strip().strip("\"'").rstrip("/")
    text = re.sub(r"/api(?:/v1(?:/uploads)?)?$", "", text)
    if not text:
        raise Trouble(
            "no_url", "No server is named.", "Set TROPHYCASE_URL (or --url) to its address, https://…"
        )
    parts = urllib.parse.urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Trouble("bad_url", f"TROPHYCASE_URL is {text!r}.", "It must begin with https:// or http://.")
    if "@" in parts.netloc:
        raise Trouble("bad_url", "TROPHYCASE_URL holds a user name.", "Write the address alone.")
    return text


class Ticket(NamedTuple):
    """What lets a job in: the token, and a name under which unsent reports are kept for whoever holds the same."""

    name: str
    token: Callable[[], str]


def ticket(said: str, environ: Environ, *, url: str, voice: Voice) -> Ticket:
    """Return a token that the person gave, else one that the CI signs for this job; raise Trouble where neither is."""
    if not said.strip().strip("\"'"):
        job = origin_of(environ, git=lambda *_: "").fields
        # What another job signs is another run to the server, so unsent reports wait for this run alone.
        name = f"job {job.get('run', '')} {job.get('attempt', '')}"
        signed = environ.get("TROPHYCASE_ID_TOKEN", "").strip()
        if signed:
            voice.hide(signed)
            return Ticket(name, lambda: signed)
        if environ.get("ACTIONS_ID_TOKEN_REQUEST_URL") and environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN"):
            voice.hide(environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
            return Ticket(name, _Signed(environ, url=url, voice=voice))
    token = secret(said, environ)
    return Ticket(token, lambda: token)


SIGNED_S = 120.0  # GitHub's word is good for a few minutes; waiting for the worker may take as long


class _Signed:
    """Asks GitHub to sign for this job, and asks again before its word is too old."""

    def __init__(self, environ: Environ, *, url: str, voice: Voice) -> None:
        audience = urllib.parse.quote(url, safe="")
        self._url = f"{environ['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience={audience}"
        self._secret = environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
        self._voice = voice
        self._token = ""
        self._asked_at = 0.0

    def __call__(self) -> str:
        if not self._token or time.monotonic() - self._asked_at > SIGNED_S:
            self._asked_at = time.monotonic()
            self._token = self._ask()
            self._voice.hide(self._token)
        return self._token

    def _ask(self) -> str:
        request = urllib.request.Request(self._url, headers={"Authorization": f"bearer {self._secret}"})
        try:
            with urllib.request.build_opener(_NoRedirects).open(request, timeout=SLOWEST_S) as response:
                return str(json.loads(response.read(100_000).decode("utf-8"))["value"])
        except urllib.error.HTTPError as error:
            with error:
                sentence = f"GitHub signs nothing for this job (HTTP {error.code})."
                advice = "Does the job have `permissions: id-token: write`?"
                raise Trouble("no_id_token", sentence, advice, is_passing=error.code in PASSING) from None
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "reason", error)
            raise Trouble(
                "no_id_token", f"GitHub cannot be asked to sign ({why}).", is_passing=True
            ) from None
        except (ValueError, KeyError, TypeError):
            raise Trouble("no_id_token", "GitHub's answer holds no ID token.", is_passing=True) from None


def secret(said: str, environ: Environ) -> str:
    """Return the token; raise Trouble when it is missing or cannot be one."""
    token = said.strip().strip("\"'")
    if not token:
        is_pull = any(environ.get(name) for name in ("GITHUB_HEAD_REF", "CI_MERGE_REQUEST_IID", "CHANGE_ID"))
        forks = " (CI gives no secrets to pull requests from forks)" if is_pull else ""
        advice = "Keep one from Settings, Tokens as the CI secret TROPHYCASE_TOKEN and hand it to this step."
        if environ.get("GITHUB_ACTIONS"):
            advice += (
                " Or trust the repository under Settings, Trusted jobs, and give the job `id-token: write`."
            )
        raise Trouble("no_token", f"TROPHYCASE_TOKEN is empty{forks}.", advice)
    if not re.match(r"[!-~]+\Z", token):
        advice = "Copy it again, without spaces or line breaks."
        raise Trouble("bad_token", "TROPHYCASE_TOKEN holds characters that no token has.", advice)
    return token


# --- What could not be sent is kept for the next call

MOST_KEPT = 50
KEPT_DAYS = 14


class Shelf:
    """A folder of parcels that could not be sent, with the server and token they were for, told by a digest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, parcel: Parcel, *, mark: str) -> None:
        """Write a parcel down, whole or not at all; the oldest make room."""
        self.folder.mkdir(parents=True, exist_ok=True)
        ignore = self.folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        # Sent later, it must still count for when the tests ran.
        started_at = parcel.fields.get("started_at") or datetime.now(timezone.utc).isoformat(
            timespec="seconds"
        )
        head = {
            "mark": mark,
            "fields": {**parcel.fields, "started_at": started_at},
            "names": parcel.names,
            "content_type": parcel.content_type,
        }
        unfinished = self.folder / f"{parcel.digest}.{os.getpid()}.tmp"
        unfinished.write_bytes(json.dumps(head).encode() + b"\n" + parcel.body)
        os.replace(str(unfinished), str(self.folder / f"{parcel.digest}.parcel"))
        for path in self._paths()[:-MOST_KEPT]:
            path.unlink()

    def parcels(self, *, mark: str) -> Iterator[tuple[Path, Parcel]]:
        """Yield the parcels for this server and token, oldest first; what is too old or unreadable goes."""
        oldest = time.time() - KEPT_DAYS * 86_400
        for path in self._paths():
            try:
                if path.stat().st_mtime < oldest:
                    path.unlink()
                    continue
                head, _, body = path.read_bytes().partition(b"\n")
                told = json.loads(head.decode())
                if told["mark"] != mark:
                    continue
                parcel = Parcel(told["fields"], tuple(told["names"]), told["content_type"], body)
            except (OSError, ValueError, KeyError):  # another step was faster, or the disk was full
                continue
            yield path, parcel

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("*.parcel"), key=lambda path: (path.stat().st_mtime, path.name))


# --- Sending, and what came of it


@dataclass
class Delivery:
    """What one call did: what the server took, what was kept or refused, and what it says of each upload."""

    fields: Fields
    files: list[str] = field(default_factory=list)
    uploads: list[dict[str, Any]] = field(default_factory=list)
    n_kept: int = 0
    n_sent_later: int = 0
    troubles: list[Trouble] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """True when every report was taken, as far as is known."""
        if self.troubles or not self.uploads:
            return False
        return not any(
            upload["state"] in ("rejected", "failed")
            or any(p["level"] == "error" for p in upload["problems"])
            for upload in self.uploads
        )

    @property
    def is_recorded(self) -> bool:
        """True when every upload is done: the server knows each test of these reports."""
        return self.is_whole and all(upload["state"] == "done" for upload in self.uploads)

    @property
    def n_bad(self) -> int:
        """Count the tests of these reports that failed."""
        counts = [upload["counts"] or {} for upload in self.uploads]
        return sum(count.get("failed", 0) + count.get("error", 0) for count in counts)

    def as_json(self) -> dict[str, Any]:
        """Return what a program wants to know of the call."""
        return {
            "is_whole": self.is_whole,
            "fields": self.fields,
            "files": self.files,
            "uploads": self.uploads,
            "n_kept": self.n_kept,
            "n_sent_later": self.n_sent_later,
            "errors": [{"code": trouble.code, "message": str(trouble)} for trouble in self.troubles],
        }


def deliver(
    server: Server, files: Sequence[Path], fields: Fields, *, shelf: Shelf, voice: Voice, owners: bytes = b""
) -> Delivery:
    """Send what was kept before, then the files; keep what cannot be sent now."""
    fields = {**fields, "run": fields.get("run") or _own_key(files, fields)}
    delivery = Delivery(fields=fields, files=[path.as_posix() for path in files])
    waiting = batches(files)
    n_sent = 0
    while waiting:
        batch = waiting.pop(0)
        voice.progress(f"Sending {n_sent + 1} to {n_sent + len(batch)} of {len(files)} reports …")
        parcel = packed(batch, fields, owners=b"" if n_sent else owners)
        try:
            delivery.uploads.append(server.send(parcel).body)
            n_sent += len(batch)
        except Trouble as trouble:
            if trouble.code in ("too_large", "too_many_files") and len(batch) > 1:
                middle = len(batch) // 2
                waiting[:0] = [batch[:middle], batch[middle:]]
                continue
            _note(delivery, trouble, parcel, shelf=shelf, mark=server.mark, voice=voice)
    if not delivery.n_kept:
        _send_kept(server, shelf, delivery, voice=voice)
    return delivery


def _own_key(files: Sequence[Path], fields: Fields) -> str:
    """Make a run key of what is sent, so that a second sending of the same is the same run."""
    digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode())
    for path in files:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"local-{digest.hexdigest()[:24]}"


def _note(
    delivery: Delivery, trouble: Trouble, parcel: Parcel, *, shelf: Shelf, mark: str, voice: Voice
) -> None:
    """Remember a parcel that was not taken; keep it where waiting may help."""
    delivery.troubles.append(trouble)
    names = parcel.names[0] + (f" and {len(parcel.names) - 1} more" if len(parcel.names) > 1 else "")
    voice.warn(f"{trouble} Not sent: {names}.")
    if not trouble.is_passing:
        return
    try:
        shelf.keep(parcel, mark=mark)
    except OSError as error:
        voice.warn(f"Nor could it be kept in {shelf.folder} ({error.strerror}).")
        return
    delivery.n_kept += 1
    voice.say(f"Kept in {shelf.folder}: the next trophycase upload there sends it.")


def _send_kept(server: Server, shelf: Shelf, delivery: Delivery, *, voice: Voice) -> None:
    """Send what earlier calls could not; a parcel that is refused for good is dropped with a word."""
    for path, parcel in shelf.parcels(mark=server.mark):
        try:
            server.send(_redressed(parcel))
            delivery.n_sent_later += 1
        except Trouble as trouble:
            if trouble.is_passing:
                return
            voice.warn(f"{trouble} Dropped what was kept earlier: {', '.join(parcel.names[:3])}.")
        try:
            path.unlink()
        except OSError:  # another step sent it at the same moment; the server counts it once
            continue


def _redressed(parcel: Parcel) -> Parcel:
    """Put the time at which the tests ran into a body that was packed without it."""
    boundary = parcel.content_type.partition("boundary=")[2]
    if b'name="started_at"' in parcel.body[:4096]:
        return parcel
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="started_at"\r\n\r\n'
    return replace(parcel, body=(head + parcel.fields["started_at"] + "\r\n").encode() + parcel.body)


ENDED = ("done", "rejected", "failed")


def wait_for_uploads(server: Server, delivery: Delivery, *, voice: Voice) -> None:
    """Ask for each upload until the worker is done with it or the time is up."""
    for position, upload in enumerate(delivery.uploads):
        pause = 0.2
        while upload["state"] not in ENDED and server.seconds_left > pause:
            voice.progress("Waiting for the worker …")
            time.sleep(pause)
            pause = min(2.0, pause * 1.5)
            upload = server.ask("GET", f"/api/v1/uploads/{upload['id']}").body
            delivery.uploads[position] = upload


def tell(delivery: Delivery, *, voice: Voice) -> None:
    """Say what was taken and what was dropped, with the place of each problem and the run's address."""
    if delivery.n_sent_later:
        voice.say(f"Sent {_n(delivery.n_sent_later, 'upload')} that an earlier call had kept.")
    for upload in delivery.uploads:
        for problem in upload["problems"]:
            voice.warn(f"{place(problem)}{problem['sentence']}")
        if upload["state"] == "rejected":
            voice.warn(
                "Nothing of this upload was taken. `trophycase doctor FILES` looks at the reports here."
            )
        elif upload["state"] != "done":
            voice.say(f"Sent; the server reads it next. Status: {upload['status_url']}")
    counts: Counter[str] = Counter()
    for upload in delivery.uploads:
        counts.update(upload["counts"] or {})
    run = next((upload["run"] for upload in delivery.uploads if upload["run"]), None)
    if run:
        voice.say(f"Taken: {counted(counts)}. Run #{run['number']}: {run['url']}")


def place(problem: Mapping[str, Any]) -> str:
    """Return file, line and column of a problem as editors write them."""
    parts = [problem.get("file"), problem.get("line"), problem.get("column") if problem.get("line") else None]
    words = ":".join(str(part) for part in parts if part)
    return f"{words}: " if words else ""


def counted(counts: Mapping[str, int]) -> str:
    """Return counts as words: 120 tests, 118 passed, 2 failed."""
    words = [
        f"{counts[name]} {name}" for name in ("passed", "failed", "error", "skipped") if counts.get(name)
    ]
    return ", ".join([_n(counts.get("tests", 0), "test"), *words])


def _n(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


# --- The gate: a red build whose every failure is known to be flaky may go on


class Ruling(NamedTuple):
    """Whether the failures are forgiven, why, and which of them are."""

    is_forgiven: bool
    why: str
    failures: tuple[dict[str, Any], ...] = ()
    url: str = ""


def ruling(answer: Mapping[str, Any], *, p: float, n_own_bad: int = 0) -> Ruling:
    """Forgive only when each failure of a whole run is so likely flaky, or muted; any doubt leaves them standing."""
    failures = tuple(answer["failures"])
    forgiven = [failure for failure in failures if is_forgiven(failure, p=p)]
    n_failures = max(int(answer["n_failures"]), n_own_bad)
    if answer.get("is_truncated", answer["is_incomplete"]):  # other shards and jobs answer for themselves
        why = "a report of the run broke off, so there may be more failures"
    elif not n_failures:
        why = "the reports show no failure: the command failed for another reason"
    elif len(forgiven) < n_failures:
        why = f"{n_failures - len(forgiven)} of {_n(n_failures, 'failure')} not known to be flaky (P below {p:.2f})"
    else:
        n_muted = sum(1 for failure in failures if is_muted(failure))
        why = f"{_n(n_failures, 'failure')}, known to be flaky (P at least {p:.2f})"
        if n_muted:
            why = (
                f"{why} or muted ({n_muted})"
                if n_muted < n_failures
                else f"{_n(n_failures, 'failure')}, muted"
            )
        return Ruling(is_forgiven=True, why=why, failures=failures, url=answer["url"])
    return Ruling(is_forgiven=False, why=why, failures=failures, url=answer["url"])


def is_forgiven(failure: Mapping[str, Any], *, p: float) -> bool:
    """True for a failure that is flaky with probability p or more, or that the project muted."""
    return is_muted(failure) or (failure["p_flaky"] is not None and failure["p_flaky"] >= p)


def is_muted(failure: Mapping[str, Any]) -> bool:
    """True for a failure of a test in quarantine; a server of old says nothing of that."""
    return failure.get("quarantine") is not None


def may_be_tests(exit_code: int, command: Sequence[str] = ()) -> bool:
    """True when an exit code can mean failed tests; a crash, a signal and pytest's own troubles never do."""
    if exit_code >= 126:
        return False
    return exit_code == 1 or not _pytest_place(command)


def summary(told: Ruling, *, p: float, exit_code: int) -> str:
    """Return the ruling as Markdown, for the job's page."""
    head = (
        "Trophycase: the build goes on" if told.is_forgiven else f"Trophycase: exit code {exit_code} stands"
    )
    lines = [f"### {head}", "", f"{told.why[:1].upper()}{told.why[1:]}.", ""]
    if told.failures:
        lines += ["| | Test | Layer | Verdict |", "|---|---|---|---|"]
    for failure in told.failures:
        word = "forgiven" if is_forgiven(failure, p=p) else "**stands**"
        title = f"[{_markdown(failure['title'])}]({failure['url']})"
        lines.append(f"| {word} | {title} | {failure['layer']} | {_markdown(failure['sentence'])} |")
    return "\n".join([*lines, "", f"[The run in Trophycase]({told.url})" if told.url else "", ""])


def _markdown(text: str) -> str:
    flat = re.sub(r"\s+", " ", text).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\|\[\]`*_])", r"\\\1", flat)


def publish(text: str, *, headline: str, environ: Environ, voice: Voice) -> None:
    """Put Markdown on the job's page, where the CI has one, and into the file that the person names."""
    text = "\n".join(voice.clean(line) for line in text.split("\n"))
    try:
        if environ.get("TROPHYCASE_SUMMARY"):
            Path(environ["TROPHYCASE_SUMMARY"]).write_text(text, encoding="utf-8")
        _publish_to_ci(text, headline, environ, voice)
    except (OSError, subprocess.SubprocessError) as error:
        voice.say(f"The job's summary could not be written ({error}).")


def _publish_to_ci(text: str, headline: str, environ: Environ, voice: Voice) -> None:
    if environ.get("GITHUB_STEP_SUMMARY"):
        with open(environ["GITHUB_STEP_SUMMARY"], "a", encoding="utf-8") as page:
            page.write(text + "\n")
    elif environ.get("TF_BUILD") and environ.get("AGENT_TEMPDIRECTORY"):
        path = Path(environ["AGENT_TEMPDIRECTORY"]) / "trophycase.md"
        path.write_text(text, encoding="utf-8")
        voice.command(f"##vso[task.uploadsummary]{path}")
    elif environ.get("BUILDKITE_AGENT_ACCESS_TOKEN"):
        command = ["buildkite-agent", "annotate", "--context", "trophycase", "--style", "info"]
        subprocess.run(command, input=text.encode(), timeout=10, check=False, stdout=subprocess.DEVNULL)
    elif environ.get("TEAMCITY_VERSION"):  # it has no page of Markdown, but a line beside the build's number
        words = re.sub(r"(['|\[\]])", r"|\1", voice.clean(headline))
        voice.command(f"##teamcity[buildStatus text='{{build.status.text}}; {words}']")


def ask_for_ruling(server: Server, run_key: str, *, p: float, n_own_bad: int, is_sent: bool) -> Ruling:
    """Ask until the run is there and its uploads are read; raise Trouble when that takes too long."""
    path = f"/api/v1/runs/{urllib.parse.quote(run_key, safe='')}/verdict"
    pause = 0.3
    while True:
        try:
            answer = server.ask("GET", path).body
            if is_sent or not answer["n_waiting"]:
                return ruling(answer, p=p, n_own_bad=n_own_bad)
            trouble = Trouble(
                "late", f"{_n(answer['n_waiting'], 'upload')} of the run still wait for the worker."
            )
        except Trouble as refused:
            if refused.code != "unknown_run":
                raise
            trouble = refused
        if server.seconds_left < pause:
            raise trouble
        time.sleep(pause)
        pause = min(3.0, pause * 1.5)


# --- The command whose failures are judged

# Where runners write when nobody says otherwise; only what the command wrote itself counts.
USUAL_REPORTS = (
    "**/{surefire,failsafe}-reports/*.xml",
    "**/build/test-results/**/*.xml",
    "target/nextest/**/*.xml",
    "{reports,report,test-results,test-reports,junit,results}/**/*.xml",
    "*{junit,report,results}*.xml",
    "**/TestResults/**/*.xml",
)


def _pytest_place(command: Sequence[str]) -> int:
    """Return after which argument pytest's own begin; 0 where the command is not pytest."""
    for place_, word in enumerate(command[:8], 1):
        if os.path.basename(word) in ("pytest", "py.test", "pytest.exe"):
            return place_
    return 0


def with_report(command: Sequence[str], report: str) -> tuple[list[str], list[str]]:
    """Return the command, made to write a report where that can be asked of it, and the patterns of its reports."""
    if not _pytest_place(command):
        return list(command), []
    for position, word in enumerate(command):
        name, equals, value = word.partition("=")
        if name in ("--junit-xml", "--junitxml"):
            return list(command), [value] if equals else list(command[position + 1 : position + 2])
    if any(_mentions_junit(name) for name in ("pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")):
        return list(command), []
    place_ = _pytest_place(command)
    return [*command[:place_], f"--junit-xml={report}", *command[place_:]], [report]


def _mentions_junit(name: str) -> bool:
    try:
        return bool(re.search(r"--junit-?xml", Path(name).read_text(encoding="utf-8", errors="replace")))
    except OSError:
        return False


SECRETS = ("TROPHYCASE_TOKEN", "TROPHYCASE_ID_TOKEN")


def exit_code_of(command: Sequence[str], *, environ: Environ, voice: Voice) -> int:
    """Run a command to its end and return its exit code as a shell would tell it; it does not see the token."""
    own = {name: value for name, value in environ.items() if name not in SECRETS}
    try:
        child = subprocess.Popen(command, env=own)
    except OSError as error:
        voice.warn(f"{command[0]} could not be started ({error.strerror}).")
        return 127
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())  # how a CI cancels a job
    while True:
        try:
            code = child.wait()
            return code if code >= 0 else 128 - code
        except KeyboardInterrupt:  # the command got it too, and may want to end in its own way
            continue


# --- The doctor: what a report lacks


@dataclass
class Chart:
    """What one report has and lacks."""

    path: str
    producer: str = ""
    broken: str = ""
    n_cases: int = 0
    n_attempts: int = 0
    file: str = ""  # that of the last suite that named one; mocha names it once
    lacks: Counter[str] = field(default_factory=Counter)
    names: Counter[tuple[str, ...]] = field(default_factory=Counter)
    root: str = ""  # the orders in which attributes stand: of the outermost element, of suites, of cases
    is_other: bool = False  # no JUnit XML at all
    seen: list[str] | None = None  # what charts that were joined lack
    suites: Counter[str] = field(default_factory=Counter)
    cases: Counter[str] = field(default_factory=Counter)

    def count(self, case: ET.Element, suite: Mapping[str, str]) -> None:
        """Take one test case down."""
        self.n_cases += 1
        if self.n_cases <= LOOKED_AT:
            self.cases[_order(case)] += 1
        name, classname = case.get("name", ""), case.get("classname", "")
        self.names[classname, name, suite.get("hostname", "")] += 1  # Playwright writes the browser there
        path = case.get("file") or case.get("filepath") or suite.get("file") or suite.get("filepath") or ""
        if self.producer in ("mocha", "cypress"):
            path = path or self.file
        self.lacks["file"] += not (path or SOURCE.search(classname) or SOURCE.search(suite.get("name", "")))
        self.lacks["absolute"] += bool(re.match(r"/|[A-Za-z]:[\\/]", path))
        self.lacks["classname"] += not classname
        self.lacks["name"] += not name
        self._count_time(case.get("time", case.get("duration", "")))
        bad = [child for child in case if _tag(child) in ("failure", "error")]
        self.lacks["message"] += any(
            not child.get("message") and not (child.text or "").strip() for child in bad
        )
        self.n_attempts += sum(_tag(child).startswith(("flaky", "rerun")) for child in case)

    def _count_time(self, text: str) -> None:
        try:
            seconds = float(text.replace(",", ""))
        except ValueError:
            self.lacks["time"] += 1
            return
        self.lacks["zero"] += seconds == 0

    def findings(self) -> list[str]:
        """Return the keys of what is missing, the gravest first."""
        if self.seen is not None:
            return self.seen
        found_ = [key for key in ("name", "time", "file", "classname", "message") if self.lacks[key] > 0]
        if self.lacks["zero"] > self.n_cases / 2:
            found_.append("zero")
        repeated = sum(n for n in self.names.values() if n > 1)
        if repeated > max(2, self.n_cases / 20) and self.producer not in ("pytest",):
            self.lacks["repeated"] = repeated
            found_.append("repeated")
        return found_ + [key for key in ("suite", "timestamp", "absolute") if self.lacks[key] > 0]


LOOKED_AT = 100  # cases, and kinds of suites, by whose attributes the writer is told


def _order(element: ET.Element) -> str:
    return ",".join(key.rpartition("}")[2] for key in element.attrib)


SOURCE = re.compile(
    r"[\w-]\.(?:[cm]?[jt]sx?|py|rb|php|go|rs|java|kt|cs|swift|feature|robot|bats|exs?|vue)(?:$|[:\s])"
)

LACKS = {
    "name": ("no name", "two of them cannot be told apart"),
    "time": ("no time", "they count as untimed, and slow ones stay hidden"),
    "zero": ("0 seconds", "they count as untimed"),
    "file": ("no file", "the layer is guessed from names alone"),
    "classname": ("no classname", "equal names of different places fall together"),
    "message": ("a failure without a message", "such failures cannot be grouped"),
    "repeated": ("a name that another has too", "its parameters are missing"),
    "suite": ("no name", "tests of different suites fall together"),
    "timestamp": ("no timestamp", "a report sent late counts for the day it came"),
    "absolute": ("a path of this machine as file", "it differs from runner to runner"),
}

NOTHING = "Nothing to do."
BY_CLASS = f"It names the class, and the server goes by package and name. {NOTHING}"
ROUNDED = f"It rounds short times to 0. {NOTHING}"
WHEN = "Send the report in the job that ran the tests, or say --started-at."
PHRASES = 'Use @ParameterizedTest(name = "{0}"), so that the parameters are in the name.'
CONVERTED = "Convert with what keeps more, or send the tool's own report: TRX, CTRF, TAP and others are read as they are."

# The setting that mends what is missing, by the tool that wrote the report.
MENDS: dict[str, dict[str, str]] = {
    "ansible": {"file": f"The class name is the playbook with its line. {NOTHING}", "timestamp": WHEN},
    "ant": {"file": BY_CLASS, "zero": ROUNDED, "repeated": PHRASES},
    "bats": {"zero": ROUNDED},
    "bazel": {
        "file": "Bazel writes this itself where the runner writes none. Let the runner write to $XML_OUTPUT_FILE.",
    },
    "behave": {"file": f"The class name begins with the feature's file. {NOTHING}"},
    "catch2": {
        "file": f"Catch2 names the executable. {NOTHING}",
        "zero": ROUNDED,
    },
    "cfn-lint": {
        "time": f"Linters do not time their rules. {NOTHING}",
        "file": "Run it once a template, and send each with --environment TEMPLATE.",
        "classname": f"The rule's id begins its name. {NOTHING}",
        "timestamp": WHEN,
    },
    "check": {
        "file": f"Check names the suite's file in the class. {NOTHING}",
        "zero": ROUNDED,
        "timestamp": WHEN,
    },
    "cppunit": {
        "file": f"CppUnit names the class. {NOTHING}",
        "zero": "CppUnit times nothing.",
        "timestamp": WHEN,
    },
    "criterion": {
        "file": f"Criterion names suite and test. {NOTHING}",
        "classname": f"Its suites stand for classes. {NOTHING}",
        "zero": ROUNDED,
        "timestamp": WHEN,
    },
    "ctest": {
        "file": "CTest runs executables. Let these write reports of their own (gtest_discover_tests, Catch2) and send those.",
        "message": "Run ctest with --output-on-failure --test-output-size-failed 100000.",
        "timestamp": "Use ctest --output-junit of CMake 3.21 or later instead of a stylesheet.",
        "zero": "Use ctest --output-junit of CMake 3.21 or later instead of a stylesheet.",
    },
    "cucumber": {
        "file": f"The class name is the feature. {NOTHING}",
        "timestamp": "A current @cucumber/junit-xml-formatter writes timestamps.",
        "message": "A step without a definition has none. Write the step.",
    },
    "cunit": {
        "file": f"It names the class as the suite. {NOTHING}",
        "classname": f"Its suites stand for classes. {NOTHING}",
        "timestamp": WHEN,
    },
    "cute": {
        "time": "CUTE's xml_listener times nothing; wrap it in a listener of your own that does.",
        "file": f"CUTE names the suite. {NOTHING}",
        "repeated": "Give each CUTE_SMEMFUN of a suite a name of its own.",
        "timestamp": WHEN,
    },
    "cxxtest": {"file": f"The suite is named for its file. {NOTHING}", "zero": ROUNDED, "timestamp": WHEN},
    "cypress": {"file": "One report a spec: --reporter-options mochaFile=report-[hash].xml."},
    "dart": {"classname": f"The suite is the test's file. {NOTHING}", "timestamp": WHEN},
    "doctest": {"file": f"The class name is the file. {NOTHING}", "zero": ROUNDED},
    "dotnet": {
        "file": BY_CLASS,
        "timestamp": "Use --logger 'junit' of JunitXml.TestLogger, or send the TRX itself, instead of a stylesheet.",
        "classname": "Use JunitXml.TestLogger with MethodFormat=Class, or send the TRX itself.",
        "suite": CONVERTED,
        "time": CONVERTED,
        "message": CONVERTED,
        "repeated": 'Name the rows of your data: [TestCase(..., TestName = "empty")], or [MemberData] with ToString.',
    },
    "eslint": {"zero": f"ESLint does not time files. {NOTHING}", "timestamp": WHEN},
    "ginkgo": {
        "file": "Use Ginkgo 2 with --junit-report, which names file and line in the failure.",
        "zero": f"Skipped specs take no time. {NOTHING}",
        "suite": "Use Ginkgo 2 with --junit-report, which names the suite.",
        "timestamp": "Use Ginkgo 2 with --junit-report, which writes timestamps.",
    },
    "go": {
        "file": f"Go's events name no file; the package stands for it. {NOTHING}",
        "zero": f"Go rounds to 10 ms. {NOTHING}",
        "timestamp": "gotestsum, or `go test -json` sent as it is, keeps the times; go2xunit does not.",
        "time": "Use gotestsum, or send the output of `go test -json` itself.",
        "repeated": "Give subtests names of their own: t.Run(name, …).",
    },
    "googletest": {
        "file": "A current googletest writes file and line.",
        "zero": "Googletest writes thousandths of a second: faster tests have 0. Nothing to do.",
        "timestamp": "A current googletest writes timestamps.",
        "time": CONVERTED,
        "classname": CONVERTED,
        "repeated": "Give INSTANTIATE_TEST_SUITE_P a name generator, so that parameters are in the name.",
    },
    "gradle": {
        "file": f"Gradle names the class, and the server goes by package and name. {NOTHING}",
        "repeated": 'Use @ParameterizedTest(name = "{0}").',
        "zero": ROUNDED,
    },
    "jenkins-xunit": dict.fromkeys(
        ("file", "zero", "timestamp", "repeated", "time", "classname", "message", "suite"),
        "Jenkins' xunit plugin made this of another report, and what it left out is gone. Let the tool write JUnit XML itself.",
    ),
    "jest": {
        "file": "Set JEST_JUNIT_ADD_FILE_ATTRIBUTE=true.",
        "classname": "Set JEST_JUNIT_CLASSNAME='{classname}' and JEST_JUNIT_TITLE='{title}'.",
        "repeated": "Set JEST_JUNIT_CLASSNAME='{classname}', and put %s into the titles of test.each.",
        "zero": ROUNDED,
        "timestamp": "A current jest-junit writes timestamps.",
    },
    "junit-xml": {
        "time": "Pass elapsed_sec=… to TestCase.",
        "file": "Pass file=… and line=… to TestCase.",
        "classname": "Pass classname=… to TestCase.",
        "timestamp": "Pass timestamp=… to TestSuite.",
    },
    "junit5": {
        "file": BY_CLASS,
        "zero": ROUNDED,
        "repeated": PHRASES,
    },
    "junitparser": {
        "time": "Set TestCase.time.",
        "file": "Set the attribute file of the test case's element.",
        "classname": "Set TestCase.classname.",
        "timestamp": "Set TestSuite.timestamp.",
    },
    "minitest": {
        "file": "Use minitest-reporters' JUnitReporter, which writes the file.",
        "classname": "A current minitest-reporters writes the class.",
        "suite": "Use minitest-reporters' JUnitReporter; its suites are the classes.",
        "timestamp": "JUnitReporter.new('reports', true, include_timestamp: true).",
    },
    "mocha": {
        "classname": "mocha-junit-reporter: testCaseSwitchClassnameAndName: true.",
        "repeated": "mocha-junit-reporter: useFullSuiteTitle: true.",
        "file": "Use mocha-junit-reporter, which writes the file of each outermost suite.",
        "absolute": "The server cuts it to the path inside the project. Nothing to do.",
        "zero": ROUNDED,
        "time": "Pending tests have none. Nothing to do.",
        "suite": "Use mocha-junit-reporter, which names suites.",
    },
    "mypy": {"timestamp": WHEN},
    "newman": {
        "file": f"The collection and its folder stand for it. {NOTHING}",
        "zero": "Assertions take no time of their own.",
    },
    "nextest": {
        "file": f"cargo-nextest names the binary instead. {NOTHING}",
        "timestamp": "A current cargo-nextest writes timestamps.",
        "repeated": "Give each case of a parametrised test a name of its own: #[case::empty].",
    },
    "nose": {
        "file": "nose is no longer kept: pytest runs the same tests, and writes the file with -o junit_family=xunit1.",
        "timestamp": WHEN,
    },
    "nose2": {
        "file": f"The class name is the module. {NOTHING}",
        "classname": "Tests that are functions have none. Nothing to do.",
        "timestamp": WHEN,
    },
    "phpunit": {
        "repeated": "Name the sets of your data providers: yield 'empty cart' => [...].",
        "timestamp": WHEN,
        "absolute": "The server cuts it to the path inside the project. Nothing to do.",
        "classname": "A current PHPUnit writes the class.",
    },
    "playwright": {"time": "Skipped tests have none. Nothing to do."},
    "pytest": {
        "file": "pytest -o junit_family=xunit1 writes file and line of every test.",
        "zero": "pytest writes thousandths of a second: faster tests have 0. Nothing to do.",
        "classname": "Doctests and items of plugins may have none. Nothing to do.",
        "timestamp": "Use pytest 5.1 or later.",
        "repeated": "Give parameters ids: pytest.param(..., id='empty').",
    },
    "robot": {
        "file": f"The suites are named for files and folders. {NOTHING}",
        "zero": ROUNDED,
        "timestamp": "robot --xunit of a current Robot Framework writes timestamps.",
    },
    "rspec": {
        "file": "A current rspec_junit_formatter writes the file.",
        "message": "An error without words has none. Nothing to do.",
        "repeated": "Give examples that a loop makes descriptions of their own.",
    },
    "surefire": {
        "file": f"Surefire names the class, and the server goes by package and name. {NOTHING}",
        "repeated": 'Use @ParameterizedTest(name = "{0}") and usePhrasedTestCaseMethodName.',
        "timestamp": WHEN,
        "classname": "A current Surefire writes the class.",
        "zero": ROUNDED,
        "time": "A current Surefire writes the time.",
    },
    "tap": {
        "file": f"The suite is the test's file, or its outermost name. {NOTHING}",
        "classname": f"TAP knows no classes. {NOTHING}",
        "time": "prove --timer writes times into TAP::Formatter::JUnit's reports; node's reporter writes duration_ms into TAP.",
        "zero": "Run prove with --timer.",
        "timestamp": WHEN,
    },
    "testcafe": {"absolute": "The server cuts it to the path inside the project. Nothing to do."},
    "testng": {"file": BY_CLASS, "repeated": "Give the data provider's rows a name: ITest.getTestName()."},
    "unittest-xml-reporting": {
        "classname": "A module that fails to import has none. Nothing to do.",
        "zero": "It writes thousandths of a second: faster tests have 0. Nothing to do.",
        "file": "A current unittest-xml-reporting writes the file.",
        "repeated": "Name subtests: with self.subTest(case=…).",
    },
    "vitest": {"file": "In vitest's config: reporters: [['junit', { addFileAttribute: true }]]."},
    "xcode": {
        "time": "Use xcresultparser, or xcbeautify --report junit: they write times.",
        "file": "Use xcresultparser with --project-root, which writes the file.",
        "timestamp": "Use xcresultparser, which writes timestamps.",
        "message": "Pass messages to XCTAssert…, and use xcresultparser or xcbeautify.",
        "absolute": "Use xcresultparser with --project-root.",
        "repeated": "Send each test plan's report with --environment.",
    },
}
# Where the writer is not known.
AT_LEAST = {
    "name": "Write an attribute name into every testcase.",
    "time": "Write the seconds as an attribute time into every testcase.",
    "zero": "Write seconds with three decimals or more.",
    "file": "Write an attribute file, relative to the repository, into every testcase.",
    "classname": "Write an attribute classname into every testcase: its class, module or file.",
    "message": "Write what went wrong as the failure's message or text.",
    "repeated": "Write the parameters into the names.",
    "suite": "Write an attribute name into every testsuite.",
    "timestamp": WHEN,
    "absolute": "Write paths relative to the repository. The server cuts what it knows.",
}


def mend(producer: str, key: str) -> str:
    """Return the setting that gives what is missing."""
    return MENDS.get(producer, {}).get(key) or AT_LEAST[key]


def examine(path: Path) -> Chart:
    """Read a report and note what it lacks."""
    chart = Chart(path.as_posix())
    suites: list[Mapping[str, str]] = [{}]
    try:
        if _is_other(path):
            chart.is_other = True
            return chart
        with _opened(path) as stream:
            for event, element in ET.iterparse(stream, events=("start", "end")):
                _note_element(chart, event, element, suites)
    except ET.ParseError as error:
        line, column = error.position
        why = str(error).partition(":")[0]
        chart.broken = f"{chart.path}:{line}:{column + 1}: not XML from here on ({why})."
    except (OSError, EOFError, ValueError, LookupError) as error:  # among them encodings that Python has not
        chart.broken = f"{chart.path}: cannot be read ({error})."
    chart.producer = chart.producer or producer_by_shape(chart.root, list(chart.suites), list(chart.cases))
    return chart


def _opened(path: Path) -> Any:
    with path.open("rb") as head:
        is_packed = head.read(2) == b"\x1f\x8b"
    return gzip.open(str(path), "rb") if is_packed else path.open("rb")


def _is_other(path: Path) -> bool:
    """True for what is no JUnit XML by its first letters: JSON, TAP, TRX."""
    with _opened(path) as stream:
        head = stream.read(2000)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head.decode("utf-16", "replace").encode()
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return bool(text) and (not text.startswith(b"<") or b"<TestRun" in text)


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _note_element(chart: Chart, event: str, element: ET.Element, suites: list[Mapping[str, str]]) -> None:
    tag = _tag(element)
    if event == "start":
        if tag in ("testsuites", "testsuite"):
            suites.append(dict(element.attrib))
            if tag == "testsuites":
                chart.root = chart.root or _order(element)
            elif len(chart.suites) < LOOKED_AT:
                chart.suites[_order(element)] += 1
            chart.file = element.get("file") or chart.file
        told = producer_of(tag, element.attrib, chart.path)
        chart.producer = told if told == "cypress" else chart.producer or told
        return
    if tag == "testcase":
        chart.count(element, suites[-1])
        element.clear()
    elif tag in ("testsuites", "testsuite"):
        suite = suites.pop()
        has_cases = any(_tag(child) == "testcase" for child in element)
        chart.lacks["suite"] += has_cases and not suite.get("name")
        chart.lacks["timestamp"] += has_cases and not any(
            outer.get("timestamp") for outer in (suite, *suites)
        )


# What reports say of who wrote them: names of roots and suites, properties, and the order in which each tool happens to
# write its attributes, which is as good as a signature.
NAMES = {
    "pytest": "pytest",
    "pytest tests": "pytest",
    "jest tests": "jest",
    "vitest tests": "vitest",
    "Mocha Tests": "mocha",
    "nextest-run": "nextest",
    "rspec": "rspec",
    "AllTests": "googletest",
    "Criterion Tests": "criterion",
    "Cucumber": "cucumber",
    "JUnit Jupiter": "junit5",
    "JUnit Vintage": "junit5",
    "JUnit Platform Suite": "junit5",
    "bats": "bats",
    "karma": "karma",
    "nunit": "nunit",
    "CloudFormation Lint": "cfn-lint",
    "MSTestSuite": "dotnet",
    "TestCafe Tests": "testcafe",
    "Tap-Junit-Suite": "tap",
    "CTest": "ctest",
    "cppunit": "cppunit",
    "k6 thresholds": "k6",
    "mypy": "mypy",
    "ruff": "ruff",
    "flake8": "flake8",
    "nose2-junit": "nose2",
    "nosetests": "nose",
    "phpspec": "phpspec",
    "Kubernetes e2e suite": "ginkgo",
}
PROPERTIES = {
    "go.version": "go",
    "surefire.test.class.path": "surefire",
    "surefire.real.class.path": "surefire",
    "ant.file": "ant",
    "ant.home": "ant",
    "ant.library.dir": "ant",
    "random-seed": "catch2",
    "specId": "webdriverio",
    "clr-version": "dotnet",
    "test-framework": "dotnet",
}
# The first that fits is the writer: attributes of a suite (after > where those of the root tell too), those of a case
# (nothing: any), and who writes them so.
SHAPES = tuple(
    (suite, case, producer)
    for producer, pairs in {
        "unittest-xml-reporting": [("name,tests,file,time,timestamp,failures,errors,skipped", "")],
        "ant": [
            ("errors,failures,hostname,name,skipped,tests,time,timestamp", ""),
            ("errors,failures,hostname,name,tests,time,timestamp", "classname,name,time"),
            ("errors,failures,hostname,id,name,package,skipped,tests,time,timestamp", ""),
            ("errors,failures,hostname,id,name,package,tests,time,timestamp", ""),
        ],
        "bazel": [("name,timestamp,hostname,tests,failures,errors,time,package,id", "")],
        "behave": [("name,tests,errors,failures,skipped,time,timestamp,hostname", "")],
        "gradle": [("name,tests,skipped,failures,errors,timestamp,hostname,time", "")],
        "junit5": [("name,tests,skipped,failures,errors,time,hostname,timestamp", "")],
        "nextest": [("name,tests,disabled,errors,failures", "name,classname,timestamp,time")],
        "xcode": [
            ("name,tests,disabled,errors,failures", ""),
            ("tests,failures>name,tests,failures,time", "classname,name,time"),
            ("tests,failures>name,tests,failures", "classname,name,time"),
            ("name,tests,failures>name,tests,failures", "classname,name,time"),
        ],
        "catch2": [
            ("errors,failures,hostname,name,tests,time,timestamp", "classname,name,status,time"),
            ("name,errors,failures,tests,hostname,time,timestamp", ""),
            ("name,errors,failures,tests,skipped,hostname,time,timestamp", ""),
        ],
        "ctest": [("name,tests,failures,disabled,skipped,hostname,time,timestamp", "")],
        "cucumber": [("failures,errors,skipped,tests,time,name", "classname,name,time")],
        "cute": [("name,tests", "classname,name")],
        "dotnet": [
            ("name,hostname,package,id,tests,failures,errors,skipped,time,timestamp", ""),
            ("name,time,tests,failures", "name,time"),
        ],
        "go": [
            ("name,tests,failures,errors,id,hostname,time,timestamp", ""),
            ("name,tests,errors,failures,skip", ""),
            ("tests,failures,time,name", "classname,name,time"),
        ],
        "googletest": [
            ("name,tests,failures,disabled,skipped,errors,time,timestamp", ""),
            ("name,tests,failures,disabled,errors,time,timestamp", ""),
            ("name,tests,failures,disabled,errors,time", ""),
            ("name,tests,disabled,failures,errors", ""),
        ],
        "surefire": [
            ("name,time,tests,errors,skipped,failures", ""),
            ("name,version,time,tests,errors,skipped,failures", ""),
            ("errors,tests,time,failures,name", ""),
            ("failures,time,errors,skipped,tests,name", ""),
            ("errors,tests,skipped,time,failures,name", ""),
        ],
        "testng": [
            ("skipped,hostname,name,tests,failures,timestamp,time,errors", ""),
            ("hostname,name,tests,failures,timestamp,time,errors", ""),
        ],
        "jest": [
            ("name,errors,failures,skipped,timestamp,time,tests", ""),
            ("name,errors,failures,skipped,timestamp,tests,time", ""),
        ],
        "minitest": [
            ("time,skipped,failures,errors,name,assertions,tests,timestamp", ""),
            ("name,filepath,skipped,failures,errors,tests,assertions,time", ""),
            ("", "classname,name,time,assertions"),
            ("", "time,classname,name,assertions"),
        ],
        "phpunit": [("", "name,class,classname,file,line,assertions,time"), ("", "name,class,file,line,assertions,time")],
        "mocha": [("time,timestamp,tests,failures,errors,skipped", "name,file,time")],
        "newman": [("name,id,timestamp,tests,failures,errors,time", "")],
        "tap": [
            ("errors,failures,time,tests,name", "time,name"),
            ("errors,name,failures,tests", "name"),
            ("tests,failures,errors,name", "name"),
            ("failures,errors,tests,time,name,id", ""),
        ],
        "robot": [
            ("errors,failures,skip,tests,name", ""),
            ("name,tests,errors,failures,skipped,time,timestamp", "classname,name,time"),
        ],
        "ginkgo": [("tests,failures,time", ""), ("name,tests,failures,errors,time", "name,classname,time")],
        "pytest": [
            ("errors,failures,name,skips,tests,time", ""),
            ("name,errors,failures,skipped,tests,time,timestamp,hostname", "classname,name,time"),
        ],
        "junit-xml": [
            ("disabled,errors,failures,name,skipped,tests,time", ""),
            ("disabled,errors,failures,name,skipped,tests,time,hostname,id,package,timestamp", ""),
            ("errors,failures,name,tests", "classname,name,time"),
        ],
        "junitparser": [("name,tests,errors,failures,skipped,time", "name,classname,time")],
        "cunit": [("id,name,tests,failures,time", "id,name,time")],
        "check": [("errors,tests,failures,name,id", "")],
        "cxxtest": [("name,time,tests,failures,errors", "")],
        # What Jenkins' plugin xunit made of another tool's report; its stylesheets leave no trace of that.
        "jenkins-xunit": [
            ("name,tests,time,failures,errors,skipped", ""),
            ("name,tests,failures,errors,skipped,group", ""),
            ("name,tests,failures,errors,skipped,time,group", ""),
            ("errors,name,tests,time,failures,skipped", ""),
            ("errors,skipped,name,tests,time,failures", ""),
            ("skipped,failures,errors,time,tests,name", ""),
            ("failures,time,errors,tests,skipped,name", ""),
            ("name,tests,time,timestamp,failures,errors,skipped", ""),
            ("name,tests,failures,errors,skipped,time,timestamp", "name,time,assertions"),
        ],
    }.items()
    for suite, case in pairs
)  # fmt: skip
ENDINGS = {".bats": "bats", ".dll": "dotnet", ".dart": "dart", ".t": "tap"}


def producer_of(tag: str, attributes: Mapping[str, str], path: str) -> str:
    """Return the tool that an element gives away by what it says; nothing where it says nothing."""
    name = attributes.get("name", "")
    if tag in ("testsuites", "testsuite") and name in NAMES:
        return NAMES[name]
    if tag == "property":
        return PROPERTIES.get(name, "")
    if any(
        key.endswith("noNamespaceSchemaLocation") and "surefire" in value for key, value in attributes.items()
    ):
        return "surefire"
    if tag == "testsuites":
        is_playwright = attributes.get("id") == "" and name == ""
        return "playwright" if is_playwright else "xcode" if name.startswith("xcresult:") else ""
    return _producer_of_part(tag, attributes, path)


def _producer_of_part(tag: str, attributes: Mapping[str, str], path: str) -> str:
    """Return the tool that a suite or a case gives away."""
    name, file = attributes.get("name", ""), attributes.get("file", "")
    if tag == "testcase":
        if ".yml:" in attributes.get("classname", ""):
            return "ansible"
        return "ginkgo" if attributes.get("classname") in NAMES else ""
    signs = (
        (".cy." in file, "cypress"),
        (file.endswith(".php"), "phpunit"),
        (attributes.get("package") == "org.eslint", "eslint"),
        ("doctest_version" in attributes, "doctest"),
        ("/test-results/" in path and "hostname" in attributes, "gradle"),
        (os.path.splitext(name)[1] in ENDINGS, ENDINGS.get(os.path.splitext(name)[1], "")),
    )
    return next((producer for is_so, producer in signs if is_so), "")


def producer_by_shape(root: str, suites: Sequence[str], cases: Sequence[str]) -> str:
    """Return the tool that writes attributes in these orders; nothing where none is known for it."""
    for said, case, producer in SHAPES:
        outer, _, suite = said.rpartition(">")
        if outer in ("", root) and suite in ("", *suites) and case in ("", *cases):
            return producer
    return ""


OTHERS = "The server reads it as it is, if it is CTRF, Playwright's, pytest-json-report's or Go's JSON, TRX or TAP."


def advice(chart: Chart) -> list[str]:
    """Return a line for each thing the report lacks, with the setting that mends it where one is known."""
    if chart.is_other:
        return [f"{chart.path}: no JUnit XML, so there is nothing to look at here. {OTHERS}"]
    if chart.broken:
        return [
            chart.broken,
            "  The writer was stopped, or two wrote at once. What comes before is still taken.",
        ]
    if not chart.n_cases:
        return [f"{chart.path}: no test cases. Is it a test report?"]
    of = _n(chart.n_cases, "test")
    lines = []
    for key in chart.findings():
        what, why = LACKS[key]
        place_ = (
            _n(chart.lacks[key], "suite") if key in ("suite", "timestamp") else f"{chart.lacks[key]} of {of}"
        )
        lines.append(f"  {what} in {place_}: {why}.\n  -> {mend(chart.producer, key)}")
    by = f", written by {chart.producer}" if chart.producer else ""
    return [f"{chart.path}: {of}{by}{':' if lines else '. Nothing is missing.'}", *lines]


def together(charts: Sequence[Chart]) -> list[Chart]:
    """Join the charts of one tool that lack the same, so that a thousand reports of one job give one piece of advice."""
    joined: dict[tuple[Any, ...], Chart] = {}
    counts: Counter[tuple[Any, ...]] = Counter()
    for chart in charts:
        whole = bool(chart.n_cases and not chart.broken and not chart.is_other)
        key = (chart.producer, *chart.findings()) if whole else (chart.path,)
        counts[key] += 1
        if key not in joined:
            joined[key] = replace(chart, lacks=Counter(chart.lacks), names=Counter(chart.names))
            continue
        joined[key].n_cases += chart.n_cases
        joined[key].lacks.update(chart.lacks)
        joined[key].seen = chart.findings()
    for key, chart in joined.items():
        if counts[key] > 1:
            chart.path = f"{chart.path} and {counts[key] - 1} more"
    return list(joined.values())


# --- The commands


def parser() -> argparse.ArgumentParser:
    """Return what the command line may say."""
    root = argparse.ArgumentParser(prog="trophycase", description="Send test reports from CI to Trophycase.")
    root.add_argument("--version", action="version", version=f"trophycase {VERSION}")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    upload = commands.add_parser("upload", help="send reports; exit 0 whatever happens, unless --strict")
    upload.add_argument(
        "files", nargs="+", help="files, folders or patterns such as 'reports/**/*.xml'; !pattern leaves out"
    )
    upload.add_argument("--wait", action="store_true", help="wait for the worker, and print what was taken")
    upload.add_argument("--dry-run", action="store_true", help="print what would be sent, and send nothing")
    run = commands.add_parser("run", help="run the tests after --, send their reports, forgive known flakes")
    run.add_argument(
        "--reports",
        action="append",
        default=[],
        metavar="PATTERN",
        help="the reports that the command writes",
    )
    gate = commands.add_parser("gate", help="exit 0 when every failure of the run is known to be flaky")
    gate.add_argument("files", nargs="*", help="reports to send first")
    gate.add_argument(
        "--exit-code", type=int, default=1, metavar="N", help="the test command's own exit code (default 1)"
    )
    doctor = commands.add_parser("doctor", help="say what reports lack, and which setting mends it")
    doctor.add_argument("files", nargs="+")
    _shared_options(upload=upload, run=run, gate=gate, doctor=doctor)
    return root


def _shared_options(
    *,
    upload: argparse.ArgumentParser,
    run: argparse.ArgumentParser,
    gate: argparse.ArgumentParser,
    doctor: argparse.ArgumentParser,
) -> None:
    for command in (upload, run, gate):
        _connection(command)
    for command in (run, gate):
        command.add_argument(
            "--p", type=float, default=None, help="how likely flaky a forgiven failure is (default 0.9)"
        )
    for command in (upload, doctor):
        command.add_argument(
            "--strict", action="store_true", help="exit 1 when anything was not taken or is missing"
        )
    for command in (upload, run, gate, doctor):
        command.add_argument("--json", action="store_true", help="print one JSON object; words go to stderr")
        command.add_argument("--quiet", action="store_true", help="print only what went wrong")


def _connection(command: argparse.ArgumentParser) -> None:
    command.add_argument("--url", default="", help="the server (or TROPHYCASE_URL)")
    command.add_argument("--token", default="", help="the project's token (better: TROPHYCASE_TOKEN)")
    command.add_argument(
        "--project",
        default="",
        help="which project, where several trust this repository (or TROPHYCASE_PROJECT)",
    )
    command.add_argument(
        "--timeout", type=float, default=60.0, help="seconds that all of it may take (default 60)"
    )
    command.add_argument(
        "--keep", default="", metavar="DIR", help="where unsent reports wait (default .trophycase-unsent)"
    )
    command.add_argument(
        "--codeowners",
        default="",
        metavar="FILE",
        help="the CODEOWNERS file to send along; `off` sends none (default: the repository's own)",
    )
    for name in FIELDS:
        flags = ["--build-url"] if name == "url" else [f"--{name.replace('_', '-')}"]
        command.add_argument(
            *flags, dest=f"field_{name}", default="", help=f"the run's {name.replace('_', ' ')}"
        )


class Call(NamedTuple):
    """One call of the program: what was asked, in which surroundings, and how to speak."""

    options: argparse.Namespace
    environ: Environ
    voice: Voice

    def server(self) -> Server:
        """Return the server to speak to; raise Trouble where address or token are missing."""
        said = self.options.token or self.environ.get("TROPHYCASE_TOKEN", "")
        url = address(self.options.url or self.environ.get("TROPHYCASE_URL", "") or SERVED_BY)
        return Server(
            url,
            ticket(said, self.environ, url=url, voice=self.voice),
            project=self.options.project or self.environ.get("TROPHYCASE_PROJECT", ""),
            seconds=self.options.timeout,
            voice=self.voice,
        )

    def shelf(self) -> Shelf:
        """Return where unsent reports wait."""
        return Shelf(
            Path(self.options.keep or self.environ.get("TROPHYCASE_KEEP", "") or ".trophycase-unsent")
        )

    def owners(self) -> bytes:
        """Return the CODEOWNERS file to send along."""
        said = self.options.codeowners or self.environ.get("TROPHYCASE_CODEOWNERS", "")
        return owners_file(said, folder=Path.cwd())

    def fields(self) -> tuple[str, Fields]:
        """Return the CI's name and the fields to send."""
        origin = origin_of(self.environ)
        said = {name: getattr(self.options, f"field_{name}") for name in FIELDS}
        return origin.name, wishes(origin, said, self.environ)


def upload(call: Call) -> int:
    """Send reports; the exit code speaks of them only when asked to."""
    matches = found(call.options.files)
    _tell_found(matches, call.voice)
    system, fields = call.fields()
    if call.options.dry_run:
        _print_json({"ci": system, "fields": fields, "files": [path.as_posix() for path in matches.files]})
        return 0
    server = call.server()
    if not matches.files:
        raise _no_files(call.options.files)
    delivery = send(call, server, matches.files, system, fields, waits=call.options.wait)
    if call.options.json:
        _print_json(delivery.as_json())
    return 1 if call.options.strict and not delivery.is_whole else 0


def send(
    call: Call, server: Server, files: Sequence[Path], system: str, fields: Fields, *, waits: bool
) -> Delivery:
    """Deliver the files, and say what came of it."""
    words = [
        fields.get("branch", ""),
        fields.get("commit", "")[:12],
        fields.get("shard") and f"shard {fields['shard']}",
    ]
    call.voice.say(f"{_n(len(files), 'report')} from {', '.join(filter(None, [system, *words]))}")
    owners = b"" if fields.get("pull_request") else call.owners()
    delivery = deliver(server, files, fields, shelf=call.shelf(), voice=call.voice, owners=owners)
    if waits:
        try:
            wait_for_uploads(server, delivery, voice=call.voice)
        except Trouble as trouble:
            call.voice.say(f"{trouble} What became of the upload is not known yet.")
    tell(delivery, voice=call.voice)
    return delivery


def _tell_found(matches: Found, voice: Voice) -> None:
    for line in matches.left_out:
        voice.say(f"Left out {line}.")
    for pattern in matches.unmatched if matches.files else ():
        voice.warn(f"No file matches {pattern}.")


def _no_files(patterns: Sequence[str]) -> Trouble:
    advice = "Does the test step write reports, and does this step run after it, in the same folder? Quote patterns."
    return Trouble("no_files", f"No report matches {' '.join(patterns)} in {os.getcwd()}.", advice)


def run(call: Call, command: Sequence[str]) -> int:
    """Run the tests, send what they wrote, and forgive an exit code that only known flakes caused."""
    folder = tempfile.mkdtemp(prefix="trophycase-")
    try:
        command, patterns = with_report(command, os.path.join(folder, "report.xml"))
        began = time.time() - 2  # file systems keep times by the second or two
        exit_code = exit_code_of(command, environ=call.environ, voice=call.voice)
        patterns = call.options.reports or patterns or list(USUAL_REPORTS)
        return _safely_judged(call, patterns, exit_code, command, newer_than=began)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def gate(call: Call) -> int:
    """Ask about the run of this job, after sending what files are named."""
    return _safely_judged(call, call.options.files, call.options.exit_code)


def _safely_judged(
    call: Call,
    patterns: Sequence[str],
    exit_code: int,
    command: Sequence[str] = (),
    *,
    newer_than: float = 0,
) -> int:
    """Judge, and leave the exit code as it is whatever goes wrong on the way."""
    try:
        files = found(patterns, newer_than=newer_than).files
        if patterns and not files:
            raise _no_files(patterns)
        return _judged(call, files, exit_code, command)
    except Exception as error:  # noqa: BLE001 - the gate fails safe
        trouble = trouble_of(error)
        call.voice.warn(str(trouble))
        return _stands(call, exit_code, str(trouble))


def _judged(call: Call, files: Sequence[Path], exit_code: int, command: Sequence[str] = ()) -> int:
    """Send the files, and return the exit code that the verdicts leave; raise Trouble when they are not to be had."""
    server = call.server()
    system, fields = call.fields()
    delivery = Delivery(fields)
    if files:
        delivery = send(call, server, files, system, fields, waits=exit_code != 0)
    if exit_code == 0:
        return _end(call, 0, delivery, Ruling(is_forgiven=True, why="the command succeeded"))
    if not may_be_tests(exit_code, command):
        return _end(
            call,
            exit_code,
            delivery,
            Ruling(is_forgiven=False, why=f"exit code {exit_code} does not mean failed tests"),
        )
    if files and not delivery.is_recorded:
        raise Trouble("unrecorded", "Not every report was read in time, so no failure is forgiven.")
    key = delivery.fields.get("run")
    if not key:
        raise Trouble(
            "no_run",
            "No CI is known here, so the run is not either.",
            "Name it with --run, or name the reports.",
        )
    p = _p(call)
    told = ask_for_ruling(server, key, p=p, n_own_bad=delivery.n_bad, is_sent=bool(files))
    for failure in told.failures:
        word = "Forgiven" if is_forgiven(failure, p=p) else "Stands"
        call.voice.say(f"{word}: {failure['title']}. {failure['sentence']} {failure['url']}")
    _publish(call, told, p=p, exit_code=exit_code)
    return _end(call, 0 if told.is_forgiven else exit_code, delivery, told)


def _publish(call: Call, told: Ruling, *, p: float, exit_code: int) -> None:
    headline = f"Trophycase: {told.why}"
    text = summary(told, p=p, exit_code=exit_code)
    publish(text, headline=headline, environ=call.environ, voice=call.voice)


def _p(call: Call) -> float:
    try:
        p = float(call.options.p or call.environ.get("TROPHYCASE_P") or 0.9)
    except ValueError:
        p = -1.0
    if not 0.5 <= p <= 1:
        raise Trouble("bad_p", "P must lie between 0.5 and 1.", "0.9 forgives what is known to be flaky.")
    return p


def _end(call: Call, exit_code: int, delivery: Delivery, told: Ruling) -> int:
    if exit_code or told.failures:
        call.voice.say(f"{told.why[:1].upper()}{told.why[1:]}. Exit code {exit_code}.")
    if call.options.json:
        verdict = {"exit_code": exit_code, "is_forgiven": told.is_forgiven, "why": told.why}
        _print_json({**delivery.as_json(), **verdict, "failures": list(told.failures)})
    return exit_code


def _stands(call: Call, exit_code: int, why: str) -> int:
    """Leave the command's exit code as it is: without an answer nothing is forgiven."""
    if exit_code:
        call.voice.say(f"Exit code {exit_code} stands.")
        told = Ruling(is_forgiven=False, why=f"No verdict: {why}".rstrip("."))
        _publish(call, told, p=1, exit_code=exit_code)
    if call.options.json:
        _print_json(
            {"exit_code": exit_code, "is_forgiven": False, "why": call.voice.clean(why), "failures": []}
        )
    return exit_code


def doctor(call: Call) -> int:
    """Say what each report lacks."""
    matches = found(call.options.files)
    _tell_found(matches, call.voice)
    if not matches.files:
        raise _no_files(call.options.files)
    charts = [examine(path) for path in matches.files]
    for line in (line for chart in together(charts) for block in advice(chart) for line in block.split("\n")):
        if not call.options.json:
            print(call.voice.clean(line) if not line.startswith(" ") else "  " + call.voice.clean(line))
    if call.options.json:
        _print_json({"reports": [{"file": c.path, "producer": c.producer, "n_tests": c.n_cases, "broken": c.broken,
                                  "lacks": {key: c.lacks[key] for key in c.findings()}} for c in charts]})  # fmt: skip
    is_ill = any(
        chart.broken or chart.findings() or not (chart.n_cases or chart.is_other) for chart in charts
    )
    return 1 if call.options.strict and is_ill else 0


def _print_json(value: Mapping[str, Any]) -> None:
    print(json.dumps(value, indent=2, sort_keys=True), flush=True)


def answered(arguments: Sequence[str], environ: Environ) -> int:
    """Do what the command line asks and return the exit code."""
    words = list(arguments)
    command: list[str] = []
    if "--" in words and words[:1] == ["run"]:
        words, command = words[: words.index("--")], words[words.index("--") + 1 :]
    options = parser().parse_args(words)
    if options.command == "run" and not command:
        parser().error("name the test command after --, such as: trophycase run -- pytest")
    secrets = [getattr(options, "token", ""), environ.get("TROPHYCASE_TOKEN", "").strip()]
    voice = Voice(environ=environ, is_quiet=options.quiet, is_json=options.json, secrets=secrets)
    call = Call(options, environ, voice)
    if options.command == "run":
        return run(call, command)
    if options.command == "gate":
        return gate(call)
    try:
        return upload(call) if options.command == "upload" else doctor(call)
    except Exception as error:  # noqa: BLE001 - sending reports never fails a build
        trouble = trouble_of(error)
        voice.warn(str(trouble))
        if options.json:
            words_of_it = {"code": trouble.code, "message": voice.clean(str(trouble))}
            _print_json({"is_whole": False, "errors": [words_of_it]})
        return 1 if options.strict else 0


def main() -> NoReturn:
    """Run as a program."""
    try:
        sys.exit(answered(sys.argv[1:], os.environ))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
