"""What is recorded: projects, who may see them, uploads, runs, tests, results and the rows derived from them.

Fields, constraints and one-row verbs; questions over many rows live in analysis.queries, the write path of
results in ingest.record. Tables that grow with the results carry `project_id` first in every key, so that they can be
distributed by project. `Result` and `TestDay` are partitioned by month; their SQL is in the migrations.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.urls import reverse

from projects.vocabulary import (
    Boundary,
    Cause,
    ChannelKind,
    EventKind,
    FlakeRule,
    FlakeStatus,
    Layer,
    Outcome,
    ProblemLevel,
    RenameState,
    Role,
    RuleField,
    RuleSyntax,
    TargetKind,
    TimingBucket,
    UploadState,
    Word,
)

SLUG = RegexValidator(r"^[a-z0-9][a-z0-9-]{0,49}\Z", "Use lower-case letters, digits and hyphens.")


def choices(words: type[Word]) -> list[tuple[int, str]]:
    """Return the members of an enum as Django wants choices: (stored number, word)."""
    return [(member.value, member.word) for member in words]


def default_budgets() -> dict[str, float]:
    """Return the budget of a new project in seconds a run: five minutes of integration tests."""
    return {"integration": 300.0}


class LivingProjects(models.Manager["Project"]):
    """The projects but for those that are being deleted."""

    def get_queryset(self) -> models.QuerySet[Project]:
        """Leave out what is marked for deletion."""
        return super().get_queryset().filter(deleted_at=None)


class Project(models.Model):
    """One codebase whose tests are watched."""

    slug = models.CharField(max_length=50, unique=True, validators=[SLUG])
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)
    default_branch = models.CharField(max_length=200, default="main")
    target_kind = models.PositiveSmallIntegerField(
        choices=choices(TargetKind), null=True, default=TargetKind.PYRAMID
    )
    target_bands = models.JSONField(default=dict, blank=True)
    timing_limits = models.JSONField(default=dict, blank=True)
    budgets = models.JSONField(default=default_budgets, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    letter_weekday = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(6)])
    letter_hour = models.PositiveSmallIntegerField(default=9, validators=[MaxValueValidator(23)])
    sends_letter = models.BooleanField(default=True)
    n_runs = models.PositiveIntegerField(default=0)
    n_tests = models.PositiveIntegerField(default=0)
    # Another value says that known words may mean another test by now: what workers remember of them is void.
    identities = models.UUIDField(default=uuid.uuid4)
    keep_bodies_days = models.PositiveIntegerField(default=30, validators=[MinValueValidator(1)])
    keep_results_days = models.PositiveIntegerField(default=400, validators=[MinValueValidator(30)])
    keep_sums_days = models.PositiveIntegerField(default=800, validators=[MinValueValidator(30)])
    keep_told_days = models.PositiveIntegerField(
        default=400, db_default=400, validators=[MinValueValidator(30)]
    )
    results_since = models.DateField(null=True)  # retention has deleted the results before this day
    reclassify_wanted_at = models.DateTimeField(null=True)
    reclassified_at = models.DateTimeField(null=True)
    n_reclassified = models.PositiveIntegerField(default=0)
    judged_limits = models.JSONField(default=dict, blank=True)
    sums_are_stale = models.BooleanField(default=False)
    links_version = models.PositiveIntegerField(default=1)
    deleted_at = models.DateTimeField(null=True)  # its rows go in the background

    objects = LivingProjects()
    every = models.Manager["Project"]()

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the path of the project's overview."""
        return reverse("overview", args=[self.slug])


class Membership(models.Model):
    """A person in a project, with the role that says what they may do."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.PositiveSmallIntegerField(choices=choices(Role), default=Role.VIEWER)
    wants_letter = models.BooleanField(default=True)
    only_changes = models.BooleanField(default=False)
    only_own = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="one_membership_a_person")]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.project_id}"


def token_digest(plain: str) -> bytes:
    """Return the SHA-256 that stands for a token in the database; tokens are random, so no salt is needed."""
    return hashlib.sha256(plain.encode()).digest()


class Token(models.Model):
    """A key with which CI uploads to one project; only its digest is kept."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12)
    digest = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def touch(self, *, now: datetime) -> None:
        """Note the use, at most once a minute, so that a busy token is not a busy row."""
        stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - timedelta(minutes=1))
        Token.objects.filter(stale, pk=self.pk).update(last_used_at=now)

    def revoke(self, *, now: datetime) -> None:
        """End the token; a second call keeps the first time."""
        Token.objects.filter(pk=self.pk, revoked_at__isnull=True).update(revoked_at=now)


class Trust(models.Model):
    """A repository whose CI jobs may upload without a token: their CI signs which job is asking."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="trusts")
    issuer = models.CharField(max_length=200)
    repository = models.CharField(max_length=300)
    owner_id = models.CharField(max_length=50, blank=True)  # kept at the first use: names change hands
    branches = models.CharField(max_length=500, blank=True)
    events = models.CharField(max_length=500, blank=True)
    takes_pulls = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["issuer", "repository", "project"], name="one_trust_a_repository")
        ]

    def __str__(self) -> str:
        return self.repository


class LayerRule(models.Model):
    """A project's own ordered pattern; the first match wins over all evidence."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="rules")
    position = models.PositiveSmallIntegerField(validators=[MinValueValidator(1)])
    field = models.PositiveSmallIntegerField(choices=choices(RuleField))
    syntax = models.PositiveSmallIntegerField(choices=choices(RuleSyntax), default=RuleSyntax.GLOB)
    pattern = models.CharField(max_length=300)
    layer = models.PositiveSmallIntegerField(choices=choices(Layer))

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "position"],
                name="one_rule_a_position",
                deferrable=models.Deferrable.DEFERRED,
            )
        ]

    def __str__(self) -> str:
        return f"{self.position} {RuleField(self.field).word} {self.pattern} {Layer(self.layer).word}"


class SavedView(models.Model):
    """The filters of one page under a name: a person's own, or shared with the project."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="views")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    page = models.CharField(max_length=40)
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=1000, blank=True)
    is_shared = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "user", "page", "name"], name="one_view_a_name")
        ]

    def __str__(self) -> str:
        return self.name


class Upload(models.Model):
    """One delivery over the API, whatever its fate; the row is the queue of record."""

    pk = models.CompositePrimaryKey("project_id", "id")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="uploads")
    id = models.UUIDField(default=uuid.uuid4)
    state = models.PositiveSmallIntegerField(choices=choices(UploadState), default=UploadState.RECEIVED)
    received_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    n_tries = models.PositiveSmallIntegerField(default=0)
    token = models.ForeignKey(Token, models.SET_NULL, null=True, related_name="+")
    n_bytes = models.BigIntegerField()
    digest = models.BinaryField(max_length=32)
    run_key = models.CharField(max_length=200)
    branch = models.CharField(max_length=200)
    commit = models.CharField(max_length=64, blank=True)
    shard = models.CharField(max_length=100, blank=True)
    shard_total = models.PositiveSmallIntegerField(null=True)
    attempt = models.PositiveSmallIntegerField(default=1)
    job = models.CharField(max_length=200, blank=True)
    environment = models.CharField(max_length=200, blank=True)
    url = models.CharField(max_length=1000, blank=True)
    pull_request = models.CharField(max_length=50, blank=True)
    layer = models.PositiveSmallIntegerField(choices=choices(Layer), null=True)
    started_at = models.DateTimeField()
    run_number = models.PositiveIntegerField(null=True)
    n_tests = models.PositiveIntegerField(default=0)
    n_passed = models.PositiveIntegerField(default=0)
    n_failed = models.PositiveIntegerField(default=0)
    n_error = models.PositiveIntegerField(default=0)
    n_skipped = models.PositiveIntegerField(default=0)
    layer_seconds = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "digest"], name="one_upload_a_delivery"),
            models.CheckConstraint(
                condition=~Q(state=UploadState.DONE) | Q(run_number__isnull=False),
                name="done_uploads_have_a_run",
            ),
        ]
        indexes = [
            models.Index(fields=["project", "-received_at"], name="upload_by_time"),
            models.Index(
                fields=["state", "received_at"],
                condition=Q(state__in=[UploadState.RECEIVED, UploadState.PROCESSING, UploadState.FAILED]),
                name="upload_waiting",
            ),
            models.Index(fields=["project", "run_number"], condition=Q(attempt__gt=1), name="upload_again"),
            BrinIndex(fields=["received_at"], pages_per_range=16, autosummarize=True, name="upload_by_age"),
        ]

    def __str__(self) -> str:
        return str(self.id)

    def claim(self, *, now: datetime, stale_before: datetime) -> bool:
        """Take the upload for processing; False when somebody else has it or it has ended."""
        free = Q(state__in=[UploadState.RECEIVED, UploadState.FAILED])
        abandoned = Q(state=UploadState.PROCESSING, claimed_at__lt=stale_before)
        taken = Upload.objects.filter(free | abandoned, pk=self.pk).update(
            state=UploadState.PROCESSING, claimed_at=now, n_tries=F("n_tries") + 1
        )
        if taken:
            self.refresh_from_db()
        return taken == 1


class UploadFile(models.Model):
    """The bytes of one file of an Upload as they came, kept until retention drops them."""

    pk = models.CompositePrimaryKey("project_id", "upload_id", "position")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    upload_id = models.UUIDField()
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=500)
    encoding = models.CharField(max_length=20, blank=True)
    content = models.BinaryField()

    def __str__(self) -> str:
        return self.name


class Problem(models.Model):
    """Why an Upload, or a part of it, was not taken."""

    pk = models.CompositePrimaryKey("project_id", "upload_id", "position")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    upload_id = models.UUIDField()
    position = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    level = models.PositiveSmallIntegerField(choices=choices(ProblemLevel))
    code = models.CharField(max_length=50)
    sentence = models.CharField(max_length=500)
    file = models.CharField(max_length=500, blank=True)
    line = models.PositiveIntegerField(null=True)
    column = models.PositiveIntegerField(null=True)

    def __str__(self) -> str:
        return f"{self.code}: {self.sentence}"


class RefusedHour(models.Model):
    """Requests of one hour that were refused before an Upload was made of them: a count a code, with the last example."""

    pk = models.CompositePrimaryKey("project_id", "hour_at", "code")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    hour_at = models.DateTimeField()
    code = models.CharField(max_length=50)
    n = models.PositiveIntegerField(default=0)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    sentence = models.CharField(max_length=500)
    token = models.ForeignKey(Token, models.SET_NULL, null=True, related_name="+")

    def __str__(self) -> str:
        return f"{self.n} {self.code}"


class Run(models.Model):
    """One execution of the suite at a commit on a branch, made of one or more uploads."""

    pk = models.CompositePrimaryKey("project_id", "number")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="runs")
    number = models.PositiveIntegerField()
    key = models.CharField(max_length=200)
    branch = models.CharField(max_length=200)
    is_default_branch = models.BooleanField()
    commit = models.CharField(max_length=64, blank=True)
    pull_request = models.CharField(max_length=50, blank=True)
    url = models.CharField(max_length=1000, blank=True)
    started_at = models.DateTimeField()
    day = models.DateField()
    shard_total = models.PositiveSmallIntegerField(null=True)
    n_shards = models.PositiveSmallIntegerField(default=0)
    n_uploads = models.PositiveIntegerField(default=0)
    n_attempts = models.PositiveSmallIntegerField(default=1)
    is_truncated = models.BooleanField(default=False)
    n_tests = models.PositiveIntegerField(default=0)
    n_passed = models.PositiveIntegerField(default=0)
    n_failed = models.PositiveIntegerField(default=0)
    n_error = models.PositiveIntegerField(default=0)
    n_skipped = models.PositiveIntegerField(default=0)
    n_flaky = models.PositiveIntegerField(default=0)
    n_new = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(default=0)
    is_incident = models.BooleanField(default=False)
    incident_sentence = models.CharField(max_length=500, blank=True)
    machine_factor = models.FloatField(null=True)
    n_machine_tests = models.PositiveIntegerField(default=0)
    is_incomplete = models.BooleanField(default=False, db_default=False)
    incomplete_sentence = models.CharField(max_length=500, blank=True, db_default="")
    n_judged = models.PositiveIntegerField(default=0, db_default=0)  # uploads it had when that was judged

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "key"], name="one_run_a_key")]
        indexes = [
            models.Index(fields=["project", "is_default_branch", "started_at"], name="run_by_time"),
            models.Index(fields=["project", "commit"], name="run_by_commit"),
            models.Index(fields=["project", "branch", "started_at"], name="run_by_branch"),
            models.Index(fields=["project", "day"], condition=Q(is_incomplete=True), name="run_incomplete"),
            models.Index(
                fields=["project", "started_at"], condition=~Q(n_judged=F("n_uploads")), name="run_unjudged"
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.number}"


class RunTally(models.Model):
    """How many tests of each suite and file a whole Run had, and which jobs: what later runs are compared with."""

    pk = models.CompositePrimaryKey("project_id", "run_number")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    run_number = models.PositiveIntegerField()
    on_default = models.BooleanField()
    started_at = models.DateTimeField()
    n_tests = models.PositiveIntegerField()
    jobs = models.JSONField(default=dict)
    shards = models.JSONField(default=dict)
    suites = ArrayField(models.IntegerField(), default=list)
    homes = ArrayField(models.IntegerField(), default=list)
    counts = ArrayField(models.IntegerField(), default=list)

    class Meta:
        indexes = [models.Index(fields=["project", "on_default", "started_at"], name="tally_by_time")]

    def __str__(self) -> str:
        return f"#{self.run_number}"


# Some producers write the file where others write the class; "cart.spec.ts" has no last part that names anything.
FILE_ENDINGS = frozenset(
    {"ts", "tsx", "js", "jsx", "mjs", "cjs", "py", "rb", "php", "go", "vue", "feature", "robot"}
)


def title_of(*, suite: str, classname: str, name: str, file: str) -> str:
    """Name a test in one line: the last part of its class, or else of its file, and its name."""
    is_file = "/" in classname or classname.rpartition(".")[2] in FILE_ENDINGS
    home = classname.rsplit("/" if is_file else ".", 1)[-1] or file.rsplit("/", 1)[-1] or suite
    return f"{home} › {name}" if home and home != name else name or home


class Test(models.Model):
    """A thing with a stable identity that runs again and again; `id` counts from 1 in each project."""

    pk = models.CompositePrimaryKey("project_id", "id")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="tests")
    id = models.PositiveIntegerField()
    fingerprint = models.BinaryField(max_length=16)
    base = models.BinaryField(max_length=16)
    suite = models.TextField(blank=True)
    classname = models.TextField(blank=True)
    name = models.TextField(blank=True)
    file = models.TextField(blank=True)
    line = models.IntegerField(null=True)
    variant = models.TextField(blank=True)
    framework = models.TextField(blank=True)
    owner = models.TextField(blank=True)
    markers = ArrayField(models.TextField(), default=list)
    properties = models.JSONField(default=list)
    sent_layer = models.PositiveSmallIntegerField(choices=choices(Layer), null=True)
    layer = models.PositiveSmallIntegerField(choices=choices(Layer), default=Layer.UNKNOWN)
    confidence = models.FloatField(default=0)
    evidence = models.JSONField(default=list)
    tags = ArrayField(models.TextField(), default=list)
    bucket = models.PositiveSmallIntegerField(choices=choices(TimingBucket), default=TimingBucket.UNTIMED)
    median_s = models.FloatField(null=True)
    first_seen_on = models.DateField()
    last_seen_on = models.DateField()
    first_main_on = models.DateField(null=True)
    last_main_on = models.DateField(null=True)
    first_run = models.PositiveIntegerField()
    flake_status = models.PositiveSmallIntegerField(choices=choices(FlakeStatus), default=FlakeStatus.HEALTHY)
    traits = models.BigIntegerField(default=0)
    misfit_dismissed = models.CharField(max_length=300, blank=True)
    code_owner = models.TextField(
        blank=True, db_default=""
    )  # what CODEOWNERS says; owner where the report says nothing

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "fingerprint"], name="one_test_an_identity")
        ]
        indexes = [
            models.Index(
                fields=["project", "flake_status"],
                condition=~Q(flake_status=FlakeStatus.HEALTHY),
                name="test_unwell",
            ),
            models.Index(fields=["project", "base"], condition=~Q(variant=""), name="test_variants"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def title(self) -> str:
        """Name the test as the pages do."""
        return title_of(suite=self.suite, classname=self.classname, name=self.name, file=self.file)


class Rename(models.Model):
    """A Test that goes on under another name: what it was called, since which run, how sure that is, who undid it.

    `other_id` is the row that keeps the other name's identity: uploads that still use that name land there first.
    """

    pk = models.CompositePrimaryKey("project_id", "id")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    id = models.UUIDField(default=uuid.uuid4)
    test_id = models.PositiveIntegerField()
    other_id = models.PositiveIntegerField()
    run_number = models.PositiveIntegerField()
    at = models.DateTimeField()
    state = models.PositiveSmallIntegerField(choices=choices(RenameState))
    likeness = models.FloatField()
    was = models.JSONField(default=dict)
    became = models.JSONField(default=dict)
    moved_runs = ArrayField(models.IntegerField(), default=list)
    late_runs = ArrayField(models.IntegerField(), default=list)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["project", "test_id"], name="rename_by_test"),
            models.Index(fields=["project", "other_id"], name="rename_by_other"),
        ]

    def __str__(self) -> str:
        return f"{self.test_id} in #{self.run_number}"


class CodeOwners(models.Model):
    """The CODEOWNERS file of a project, sent by CI or kept by a person, and how far the tests are owned by it."""

    project = models.OneToOneField(Project, models.CASCADE, primary_key=True, related_name="code_owners")
    text = models.TextField(blank=True)
    digest = models.BinaryField(max_length=32)
    sent_at = models.DateTimeField(
        null=True
    )  # when the run began that it came with; none where a person keeps it
    kept_at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    is_by_hand = models.BooleanField(default=False)
    owned_to = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.project_id}"


class Result(models.Model):
    """One Test in one Run; append-only, partitioned by month, a row a result and nothing to spare."""

    pk = models.CompositePrimaryKey("project_id", "test_id", "run_number", "ran_on")
    project_id = models.IntegerField()
    test_id = models.IntegerField()
    run_number = models.IntegerField()
    ran_on = models.DateField()
    seconds = models.FloatField(null=True)
    outcome = models.PositiveSmallIntegerField(choices=choices(Outcome))
    n_attempts = models.PositiveSmallIntegerField(default=1)

    class Meta:
        managed = False
        db_table = "projects_result"

    def __str__(self) -> str:
        return f"{self.test_id} in #{self.run_number}"


class TestDay(models.Model):
    """What a Test did on one day, on the default branch or off it; `timings` holds a bin for each timed pass."""

    pk = models.CompositePrimaryKey("project_id", "on_default", "day", "test_id")
    project_id = models.IntegerField()
    on_default = models.BooleanField()
    day = models.DateField()
    test_id = models.IntegerField()
    n_passed = models.PositiveIntegerField(default=0)
    n_failed = models.PositiveIntegerField(default=0)
    n_error = models.PositiveIntegerField(default=0)
    n_skipped = models.PositiveIntegerField(default=0)
    n_flaky = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(default=0)
    timings = models.BinaryField(default=bytes)

    class Meta:
        managed = False
        db_table = "projects_testday"

    def __str__(self) -> str:
        return f"{self.test_id} on {self.day}"


class Span(models.Model):
    """Days of the default branch, or of all branches, that are summed test by test ahead of the pages that ask for them."""

    pk = models.CompositePrimaryKey("project_id", "number")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    number = models.PositiveIntegerField()
    on_default = models.BooleanField()
    since = models.DateField()
    until = models.DateField()
    n_uploads = (
        models.PositiveIntegerField()
    )  # of the runs of these days: one more, and the span is out of date
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.since} to {self.until}"


class TestSpan(models.Model):
    """What a Test did in a Span; of the bins of its timed passes, in order, those around the median and the 95th percentile."""

    pk = models.CompositePrimaryKey("project_id", "span_number", "test_id")
    project = models.ForeignKey(
        Project, models.CASCADE, db_index=False, db_constraint=False, related_name="+"
    )  # checked by the span: a check of every row would take longer than the row
    span_number = models.PositiveIntegerField()
    test_id = models.PositiveIntegerField()
    n_results = models.PositiveIntegerField()
    n_bad = models.PositiveIntegerField()
    n_skipped = models.PositiveIntegerField()
    n_flaky = models.PositiveIntegerField()
    seconds = models.FloatField()
    n_timed = models.PositiveIntegerField()
    near_median = models.BinaryField()
    near_p95 = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.test_id} in span {self.span_number}"


class LayerDay(models.Model):
    """What the results of one layer came to on one day."""

    pk = models.CompositePrimaryKey("project_id", "on_default", "day", "layer")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    on_default = models.BooleanField()
    day = models.DateField()
    layer = models.PositiveSmallIntegerField(choices=choices(Layer))
    n_passed = models.IntegerField(default=0)
    n_failed = models.IntegerField(default=0)
    n_error = models.IntegerField(default=0)
    n_skipped = models.IntegerField(default=0)
    n_flaky = models.IntegerField(default=0)
    seconds = models.FloatField(default=0)

    def __str__(self) -> str:
        return f"{Layer(self.layer).word} on {self.day}"


class RunLayer(models.Model):
    """What the tests of one layer came to in one Run."""

    pk = models.CompositePrimaryKey("project_id", "run_number", "layer")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    run_number = models.PositiveIntegerField()
    layer = models.PositiveSmallIntegerField(choices=choices(Layer))
    n_tests = models.IntegerField(default=0)
    n_bad = models.IntegerField(default=0)
    n_skipped = models.IntegerField(default=0)
    seconds = models.FloatField(default=0)

    def __str__(self) -> str:
        return f"{Layer(self.layer).word} in #{self.run_number}"


class BucketWeek(models.Model):
    """How many tests of a layer were in one timing bucket in one week of the default branch, and what they took."""

    pk = models.CompositePrimaryKey("project_id", "monday", "layer", "bucket")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    monday = models.DateField()
    layer = models.PositiveSmallIntegerField(choices=choices(Layer))
    bucket = models.PositiveSmallIntegerField(choices=choices(TimingBucket))
    n_tests = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(default=0)

    def __str__(self) -> str:
        return f"{TimingBucket(self.bucket).word} {Layer(self.layer).word} in the week of {self.monday}"


class TestPace(models.Model):
    """The last passing durations of a Test on the default branch, at machine speed 1: what a shift is told from."""

    pk = models.CompositePrimaryKey("project_id", "test_id")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    test_id = models.PositiveIntegerField()
    bins = models.BinaryField(default=bytes)
    n_held = models.PositiveSmallIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.test_id}"


class PassBatch(models.Model):
    """The timed passes of one upload that wait to be added to the paces of their tests."""

    pk = models.CompositePrimaryKey("project_id", "id")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    id = models.UUIDField(default=uuid.uuid4)
    noted_at = models.DateTimeField()
    run_number = models.PositiveIntegerField()
    test_ids = ArrayField(models.IntegerField())
    seconds = ArrayField(models.FloatField())

    def __str__(self) -> str:
        return f"{len(self.test_ids)} of #{self.run_number}"


class DurationShift(models.Model):
    """A Test became slower or faster for good: since which run of the default branch, and what it took before."""

    pk = models.CompositePrimaryKey("project_id", "test_id", "run_number")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    test_id = models.PositiveIntegerField()
    run_number = models.PositiveIntegerField()
    run_before = models.PositiveIntegerField(null=True)
    told_by_run = models.PositiveIntegerField()
    day = models.DateField()
    told_on = models.DateField()
    before_s = models.FloatField()
    since_s = models.FloatField()

    class Meta:
        indexes = [models.Index(fields=["project", "told_on"], name="shift_by_day")]

    def __str__(self) -> str:
        return f"{self.test_id} since #{self.run_number}"


class Signature(models.Model):
    """A failure message with numbers, ids, paths and addresses removed."""

    pk = models.CompositePrimaryKey("project_id", "digest")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    digest = models.BinaryField(max_length=16)
    version = models.PositiveSmallIntegerField()
    title = models.TextField()
    boundary = models.PositiveSmallIntegerField(choices=choices(Boundary))
    matched = models.TextField(blank=True)
    is_infrastructure = models.BooleanField(default=False)
    first_on = models.DateField()

    def __str__(self) -> str:
        return self.title


class Failure(models.Model):
    """A try of a Test that went wrong: the final one, or one that a retry forgave."""

    pk = models.CompositePrimaryKey("project_id", "test_id", "run_number", "attempt")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    test_id = models.PositiveIntegerField()
    run_number = models.PositiveIntegerField()
    attempt = models.PositiveSmallIntegerField()
    day = models.DateField()
    on_default = models.BooleanField()
    outcome = models.PositiveSmallIntegerField(choices=choices(Outcome))
    is_final = models.BooleanField()
    seconds = models.FloatField(null=True)
    signature = models.BinaryField(max_length=16)
    in_incident = models.BooleanField(default=False)
    p_flaky = models.FloatField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["project", "run_number"], name="failure_by_run"),
            models.Index(fields=["project", "day"], name="failure_by_day"),
            models.Index(fields=["project", "signature"], name="failure_by_signature"),
        ]

    def __str__(self) -> str:
        return f"{self.test_id} in #{self.run_number}, attempt {self.attempt}"


class FailureSample(models.Model):
    """The words of a failure, kept for a few failures of each test and signature."""

    pk = models.CompositePrimaryKey("project_id", "test_id", "signature", "slot")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    test_id = models.PositiveIntegerField()
    signature = models.BinaryField(max_length=16)
    slot = models.PositiveSmallIntegerField()
    run_number = models.PositiveIntegerField()
    kind = models.TextField(blank=True)
    message = models.TextField(blank=True)
    text = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.message


class FlakeProof(models.Model):
    """The runs that prove one Flake: a retry in one run, or two runs of one commit that disagree."""

    pk = models.CompositePrimaryKey("project_id", "test_id", "run_number", "rule", "other_run")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    test_id = models.PositiveIntegerField()
    run_number = models.PositiveIntegerField()
    rule = models.PositiveSmallIntegerField(choices=choices(FlakeRule))
    other_run = models.PositiveIntegerField()
    commit = models.CharField(max_length=64, blank=True)
    day = models.DateField()
    on_default = models.BooleanField()
    in_incident = models.BooleanField(default=False)

    class Meta:
        indexes = [models.Index(fields=["project", "day"], name="proof_by_day")]

    def __str__(self) -> str:
        return f"{self.test_id}: #{self.run_number} against #{self.other_run}"


class EnvironmentRun(models.Model):
    """One environment's part in a Run: how much failed there that nobody expected, and the incident that it was."""

    pk = models.CompositePrimaryKey("project_id", "run_number", "environment")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    run_number = models.PositiveIntegerField()
    environment = models.CharField(max_length=400)
    branch = models.CharField(max_length=200)
    is_default_branch = models.BooleanField()
    commit = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField()
    n_tests = models.PositiveIntegerField(default=0)
    unexpected = ArrayField(models.IntegerField(), default=list)
    incident = models.PositiveSmallIntegerField(null=True)
    why = models.CharField(max_length=1000, blank=True)
    decided_by = models.PositiveIntegerField(default=0)
    n_failing_on = models.PositiveIntegerField(default=0)
    passed_elsewhere = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(fields=["project", "at"], name="environment_run_by_time"),
            models.Index(fields=["project", "commit"], name="environment_run_by_commit"),
        ]

    def __str__(self) -> str:
        return f"{self.environment} in #{self.run_number}"


class Flake(models.Model):
    """The verdict on a Test that has failed: its status, the rule behind it and the engine's state."""

    pk = models.CompositePrimaryKey("project_id", "test_id")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    test_id = models.PositiveIntegerField()
    status = models.PositiveSmallIntegerField(choices=choices(FlakeStatus))
    sentence = models.CharField(max_length=500, blank=True)
    since_on = models.DateField(null=True)
    last_on = models.DateField(null=True)
    n_flakes = models.PositiveIntegerField(default=0)
    rate = models.FloatField(null=True)
    rate_low = models.FloatField(null=True)
    rate_high = models.FloatField(null=True)
    few_runs = models.BooleanField(default=False)
    n_passes_needed = models.PositiveIntegerField(default=0)
    n_quiet = models.PositiveIntegerField(default=0)
    p_unfixed = models.FloatField(default=1)
    proof_runs = ArrayField(models.IntegerField(), default=list)
    state = models.BinaryField(default=bytes)
    awake_until = models.FloatField(default=0)
    note = models.CharField(max_length=1000, blank=True)
    owner = models.CharField(max_length=200, blank=True, db_default="")
    fixed_commit = models.CharField(max_length=64, blank=True)
    cluster = models.PositiveIntegerField(null=True)
    only_here = models.CharField(max_length=300, blank=True, db_default="")
    cause = models.PositiveSmallIntegerField(choices=choices(Cause), null=True)
    cause_evidence = models.CharField(max_length=500, blank=True, db_default="")

    def __str__(self) -> str:
        return f"{self.test_id}: {FlakeStatus(self.status).word}"


class FlakeEvent(models.Model):
    """A change of a Test's status, with its time and the run that brought it."""

    pk = models.CompositePrimaryKey("project_id", "id")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    id = models.UUIDField(default=uuid.uuid4)
    test_id = models.PositiveIntegerField()
    at = models.DateTimeField()
    run_number = models.PositiveIntegerField(null=True)
    before = models.PositiveSmallIntegerField(choices=choices(FlakeStatus))
    after = models.PositiveSmallIntegerField(choices=choices(FlakeStatus))
    sentence = models.CharField(max_length=500, blank=True)
    is_told = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(fields=["project", "at"], name="event_by_time"),
            models.Index(fields=["project"], condition=Q(is_told=False), name="event_untold"),
        ]

    def __str__(self) -> str:
        return f"{self.test_id}: {FlakeStatus(self.before).word} to {FlakeStatus(self.after).word}"


class Quarantine(models.Model):
    """A Test muted in CI until a day: somebody's decision, with its reason; statistics know nothing of it."""

    pk = models.CompositePrimaryKey("project_id", "id")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    id = models.UUIDField(default=uuid.uuid4)
    test_id = models.PositiveIntegerField()
    reason = models.CharField(max_length=500)
    created_at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    until_on = models.DateField()
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    is_by_policy = models.BooleanField(db_default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "test_id"], condition=Q(ended_at=None), name="one_quarantine_a_test"
            )
        ]

    def __str__(self) -> str:
        return f"{self.test_id} until {self.until_on}"


class MutingPolicy(models.Model):
    """What a project mutes by itself: nothing, until somebody switches it on; and what a broken run costs its people."""

    project = models.OneToOneField(Project, models.CASCADE, primary_key=True, related_name="muting")
    is_on = models.BooleanField(default=False)
    least_p = models.FloatField(default=0.95, validators=[MinValueValidator(0.5), MaxValueValidator(1.0)])
    least_minutes = models.PositiveIntegerField(default=30)
    most_tests = models.PositiveSmallIntegerField(default=10)
    most_share = models.FloatField(default=0.01, validators=[MinValueValidator(0.0), MaxValueValidator(1.0)])
    n_days = models.PositiveSmallIntegerField(
        default=14, validators=[MinValueValidator(1), MaxValueValidator(90)]
    )
    developer_minutes = models.PositiveSmallIntegerField(default=10)

    def __str__(self) -> str:
        return f"{self.project_id}: {'on' if self.is_on else 'off'}"


class Remark(models.Model):
    """What a person, or time, did about a Test or a Run: the audit that nobody edits."""

    pk = models.CompositePrimaryKey("project_id", "id")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    id = models.UUIDField(default=uuid.uuid4)
    test_id = models.PositiveIntegerField(null=True)
    run_number = models.PositiveIntegerField(null=True)
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    sentence = models.CharField(max_length=1200)

    class Meta:
        indexes = [
            models.Index(fields=["project", "test_id", "at"], name="remark_by_test"),
            models.Index(
                fields=["project", "run_number"], condition=Q(run_number__isnull=False), name="remark_by_run"
            ),
        ]

    def __str__(self) -> str:
        return self.sentence


class Letter(models.Model):
    """The weekly letter of one project for one week, as it was built."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="letters")
    week_on = models.DateField()
    built_at = models.DateTimeField()
    subject = models.CharField(max_length=300)
    html = models.TextField()
    text = models.TextField()
    asked = models.JSONField(default=list)
    is_calm = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "week_on"], name="one_letter_a_week")]

    def __str__(self) -> str:
        return self.subject


class LetterVersion(models.Model):
    """A Letter as the readers of some owners' tests get it: these tests first, or these alone."""

    letter = models.ForeignKey(Letter, models.CASCADE, related_name="versions")
    owners = ArrayField(models.TextField())
    only_own = models.BooleanField(default=False)
    subject = models.CharField(max_length=300)
    html = models.TextField()
    text = models.TextField()
    asked = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["letter", "owners", "only_own"], name="one_version_an_owner")
        ]

    def __str__(self) -> str:
        return self.subject


class LetterAddress(models.Model):
    """A reader without an account, such as a team's list: gets a project's letter about the tests of some owners."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="letter_addresses")
    address = models.CharField(max_length=254)
    wants_letter = models.BooleanField(default=True)
    only_changes = models.BooleanField(default=True)
    only_own = models.BooleanField(default=True)
    refused = models.CharField(max_length=500, blank=True)
    refused_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "address"], name="one_letter_an_address")]

    def __str__(self) -> str:
        return self.address


class OwnerReader(models.Model):
    """Who reads about the tests of one owner: a member, or an address without an account."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="owner_readers")
    owner = models.CharField(max_length=200)  # in lower case, as owners are told apart
    membership = models.ForeignKey(Membership, models.CASCADE, null=True, related_name="owners")
    address = models.ForeignKey(LetterAddress, models.CASCADE, null=True, related_name="owners")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "owner", "membership"], name="one_owner_a_member"),
            models.UniqueConstraint(fields=["project", "owner", "address"], name="one_owner_an_address"),
            models.CheckConstraint(
                condition=Q(membership=None) ^ Q(address=None), name="an_owner_has_one_kind_of_reader"
            ),
        ]

    def __str__(self) -> str:
        return self.owner


class LetterDelivery(models.Model):
    """One Letter on its way to one reader, in the version that is theirs where they have one."""

    letter = models.ForeignKey(Letter, models.CASCADE, related_name="deliveries")
    version = models.ForeignKey(LetterVersion, models.CASCADE, null=True, related_name="deliveries")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    address = models.ForeignKey(LetterAddress, models.CASCADE, null=True, related_name="deliveries")
    due_at = models.DateTimeField(null=True)
    n_tries = models.PositiveSmallIntegerField(default=0)
    claimed_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    refused = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["letter", "user"], name="one_delivery_a_reader"),
            models.UniqueConstraint(fields=["letter", "address"], name="one_delivery_an_address"),
            models.CheckConstraint(
                condition=Q(user=None) ^ Q(address=None), name="a_delivery_has_one_kind_of_reader"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.letter_id} to {self.user_id or self.address_id}"


class Reader(models.Model):
    """What a person asks of all their letters, and the address that a mail server refused for good."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="reader"
    )
    time_zone = models.CharField(max_length=64, blank=True)
    refused_address = models.CharField(max_length=254, blank=True)
    refused = models.CharField(max_length=500, blank=True)
    refused_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.user_id}"


class Watch(models.Model):
    """What was known of a project when it was last looked at for news."""

    project = models.OneToOneField(Project, models.CASCADE, primary_key=True, related_name="watch")
    looked_at = models.DateTimeField()
    over_budget = ArrayField(models.PositiveSmallIntegerField(), default=list)
    is_off_target = models.BooleanField(null=True)
    is_silent = models.BooleanField(default=False)
    is_refused = models.BooleanField(default=False)
    incidents = ArrayField(models.PositiveIntegerField(), default=list)

    def __str__(self) -> str:
        return f"{self.project_id}"


class Event(models.Model):
    """One thing that was worth telling; those of one look share their time."""

    pk = models.CompositePrimaryKey("project_id", "id")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    id = models.UUIDField(default=uuid.uuid4)
    kind = models.PositiveSmallIntegerField(choices=choices(EventKind))
    at = models.DateTimeField()
    key = models.CharField(max_length=100)
    title = models.TextField()
    detail = models.CharField(max_length=500, blank=True)
    path = models.CharField(max_length=300)
    is_good = models.BooleanField(default=False)

    class Meta:
        indexes = [models.Index(fields=["project", "-at"], name="told_by_time")]

    def __str__(self) -> str:
        return self.title


class Channel(models.Model):
    """Where a project's events are told: a mail address, or an address that takes a POST."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="channels")
    kind = models.PositiveSmallIntegerField(choices=choices(ChannelKind))
    name = models.CharField(max_length=100)
    address = models.CharField(max_length=1000)
    secret = models.CharField(max_length=100, blank=True)
    wants = ArrayField(models.PositiveSmallIntegerField(choices=choices(EventKind)), default=list)
    is_on = models.BooleanField(default=True)
    why_off = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class ChannelDelivery(models.Model):
    """One message on its way to one Channel, with what came of the last try."""

    pk = models.CompositePrimaryKey("project_id", "id")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    id = models.UUIDField(default=uuid.uuid4)
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="deliveries")
    replay_of = models.UUIDField(null=True)
    subject = models.CharField(max_length=300)
    message = models.JSONField()
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    n_tries = models.PositiveSmallIntegerField(default=0)
    tried_at = models.DateTimeField(null=True)
    took_s = models.FloatField(null=True)
    sent_at = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.CharField(max_length=500, blank=True)
    is_over = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], condition=Q(is_over=False), name="channel_waiting"),
            models.Index(fields=["channel", "-created_at"], name="channel_log"),
        ]

    def __str__(self) -> str:
        return self.subject


class WrongLogin(models.Model):
    """One wrong password: when, from where and for whom, both as digests; kept for minutes."""

    at = models.DateTimeField(db_index=True)
    address = models.BinaryField(max_length=16)
    account = models.BinaryField(max_length=16)
    is_known_browser = models.BooleanField()

    class Meta:
        indexes = [
            models.Index(fields=["address", "at"], name="wrong_login_by_address"),
            models.Index(fields=["account", "at"], name="wrong_login_by_account"),
        ]

    def __str__(self) -> str:
        return f"{self.at}"
