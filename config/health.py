"""Answers whether this server can do its work: database, Redis, and how long the oldest upload has waited."""

from __future__ import annotations

import redis
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis.backoff import NoBackoff
from redis.retry import Retry

from projects.models import Upload
from projects.vocabulary import UploadState

ANSWER_SECONDS = 2  # a server that takes longer is as good as gone for whoever asks


@never_cache
@require_safe
def health(_request: HttpRequest) -> JsonResponse:
    """Answer 200 when both servers answer, else 503; a long queue is no illness."""
    waited_s, is_database_up = _oldest_wait()
    is_redis_up = _redis_answers()
    answers = {"database": is_database_up, "redis": is_redis_up, "oldest_upload_waited_s": waited_s}
    return JsonResponse(answers, status=200 if is_database_up and is_redis_up else 503)


def _oldest_wait() -> tuple[float, bool]:
    """Return how long the oldest upload has waited for a worker, and whether the database could say so."""
    waiting = Upload.objects.filter(state=UploadState.RECEIVED).order_by("received_at")
    try:
        received_at = waiting.values_list("received_at", flat=True).first()
    except DatabaseError:
        return 0, False
    return (timezone.now() - received_at).total_seconds() if received_at else 0, True


def _redis_answers() -> bool:
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),  # whoever asks will ask again
        ) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
