"""Accept an upload: the row and its bytes made durable in one transaction, the same delivery only once.

Knows nothing of HTTP or of what is in the bytes.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime

import zstandard
from django.conf import settings
from django.db import IntegrityError, transaction

from ingest.bodies_in import SentFile
from ingest.refusals import Refusal
from ingest.tasks import ring
from ingest.wishes import Fields
from projects.models import Project, Token, Upload, UploadFile
from projects.vocabulary import WAITING

PACKED = (b"\x1f\x8b", b"PK", b"\x28\xb5\x2f\xfd")  # gzip, zip, zstd: what begins so does not shrink further
SMALLEST = 200  # bytes; packing less saves nothing


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a sender sent: the fields of an upload and its files."""

    fields: Fields
    files: tuple[SentFile, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The upload that a delivery became, or the one that the same delivery became before."""

    upload: Upload
    is_new: bool


def accept(
    project: Project,
    token: Token | None,
    delivery: Delivery,
    *,
    now: datetime,
    upload_id: uuid.UUID | None = None,
    repository: str = "",
) -> Accepted:
    """Store the delivery and ring for a worker; the same bytes for the same run give the first upload again.

    A sender that was promised an id brings it along. One id is one upload: other bytes under it are refused. In place of a
    token, `repository` says whose job it was.
    """
    _refuse_when_empty(delivery)
    digest = _digest(delivery)
    before = Upload.objects.filter(project=project, digest=digest).first()
    if before is not None:
        return Accepted(before, is_new=False)
    _refuse_when_busy()
    try:
        stored = _store(
            project, token, delivery, digest, upload_id or uuid.uuid4(), repository=repository, now=now
        )
    except (
        IntegrityError
    ):  # the same delivery, stored a moment ago by another request, or an id that was used
        before = Upload.objects.filter(project=project, digest=digest).first()
        if before is None:
            raise Refusal(
                "used", 403, "This address has taken an upload already. Ask for a new one."
            ) from None
        return Accepted(before, is_new=False)
    return Accepted(stored, is_new=True)


def _refuse_when_empty(delivery: Delivery) -> None:
    if not any(file.content for file in delivery.files):
        words = "No report came with the request. Send it as the part `file`, or as the body itself."
        raise Refusal("no_file", 422, words)


def _digest(delivery: Delivery) -> bytes:
    """Return the SHA-256 of what makes two deliveries the same: the run's key or fields, the shard, and the bytes."""
    fields = delivery.fields
    words = [fields.run, str(fields.attempt), fields.job, fields.shard, fields.environment]
    if not fields.run:
        words += [fields.branch, fields.commit, fields.pull_request]
        words += [fields.started_at.isoformat()] if fields.says_when else []
    digest = hashlib.sha256("\x1f".join(words).encode())
    for file in delivery.files:
        digest.update(hashlib.sha256(file.content).digest())
    return digest.digest()


def _refuse_when_busy() -> None:
    most = settings.TROPHYCASE_MAX_WAITING_UPLOADS
    if Upload.objects.filter(state__in=WAITING)[: most + 1].count() > most:
        raise Refusal(
            "busy",
            503,
            f"More than {most} uploads wait for a worker. Send this one again later.",
            retry_after_s=30,
        )


def _store(
    project: Project,
    token: Token | None,
    delivery: Delivery,
    digest: bytes,
    upload_id: uuid.UUID,
    *,
    repository: str,
    now: datetime,
) -> Upload:
    upload = _upload(delivery, digest)
    upload.project, upload.id, upload.received_at = project, upload_id, now
    upload.token, upload.repository = token, repository
    with transaction.atomic():
        upload.save(force_insert=True)
        UploadFile.objects.bulk_create(
            (_file(upload, position, file) for position, file in enumerate(delivery.files, 1)), batch_size=100
        )
        ring(project.pk, upload.id)
    return upload


def _upload(delivery: Delivery, digest: bytes) -> Upload:
    """Return what the delivery says of itself, as a row that nobody owns yet."""
    fields = delivery.fields
    return Upload(
        n_bytes=sum(len(file.content) for file in delivery.files),
        digest=digest,
        run_key=fields.run or f"auto-{digest.hex()[:24]}",
        branch=fields.branch,
        commit=fields.commit,
        shard=fields.shard,
        shard_total=fields.shard_total,
        attempt=fields.attempt,
        job=fields.job,
        environment=fields.environment,
        url=fields.url,
        pull_request=fields.pull_request,
        layer=fields.layer,
        started_at=fields.started_at,
    )


def _file(upload: Upload, position: int, file: SentFile) -> UploadFile:
    """Keep the bytes as they came, packed where they were plain."""
    content, encoding = file.content, file.encoding
    if not encoding and len(content) > SMALLEST and not content.startswith(PACKED):
        content, encoding = zstandard.compress(content, 1), "zstd"
    return UploadFile(
        project_id=upload.project_id,
        upload_id=upload.id,
        position=position,
        name=file.name,
        encoding=encoding,
        content=content,
    )
