"""What is recorded: projects, who may see them, uploads, runs, tests, results and the rows derived from them.

Fields, constraints and one-row verbs; questions over many rows live in analysis.queries, the write path of
results in ingest.record. Tables that grow with the results carry `project_id` first in every key, so that they can be
distributed by project. A module a subject; everybody imports the rows from here.
"""

from projects.models.events import Channel, ChannelDelivery, Event, Watch
from projects.models.flakes import Flake, FlakeEvent, FlakeProof, Quarantine, Remark
from projects.models.letters import Letter, LetterAddress, LetterDelivery, LetterVersion, OwnerReader
from projects.models.paces import DurationShift, PassBatch, TestPace
from projects.models.people import Membership, Reader, SavedView, WrongLogin
from projects.models.project import Project, default_budgets
from projects.models.results import Failure, FailureSample, Result, Signature
from projects.models.rules import CodeOwners, LayerRule, MutingPolicy
from projects.models.runs import EnvironmentRun, Run, RunTally
from projects.models.senders import Token, Trust, token_digest
from projects.models.sums import BucketWeek, LayerDay, ResultBatch, RunLayer, Span, TestDay, TestSpan
from projects.models.tests import Rename, Test, title_of
from projects.models.uploads import Problem, RefusedHour, Upload, UploadFile

__all__ = [
    "BucketWeek",
    "Channel",
    "ChannelDelivery",
    "CodeOwners",
    "DurationShift",
    "EnvironmentRun",
    "Event",
    "Failure",
    "FailureSample",
    "Flake",
    "FlakeEvent",
    "FlakeProof",
    "LayerDay",
    "LayerRule",
    "Letter",
    "LetterAddress",
    "LetterDelivery",
    "LetterVersion",
    "Membership",
    "MutingPolicy",
    "OwnerReader",
    "PassBatch",
    "Problem",
    "Project",
    "Quarantine",
    "Reader",
    "RefusedHour",
    "Remark",
    "Rename",
    "Result",
    "ResultBatch",
    "Run",
    "RunLayer",
    "RunTally",
    "SavedView",
    "Signature",
    "Span",
    "Test",
    "TestDay",
    "TestPace",
    "TestSpan",
    "Token",
    "Trust",
    "Upload",
    "UploadFile",
    "Watch",
    "WrongLogin",
    "default_budgets",
    "title_of",
    "token_digest",
]
