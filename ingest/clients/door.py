"""The door of the clients of other services: whose token a request carries, what its body holds, how it is refused.

Each adapter says how its client spells the token and reads a refusal; all of them end in `taken`, the one way in.
"""

from __future__ import annotations

import io
import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, TypeAlias

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from ingest import bodies, bodies_in, wishes
from ingest.accept import Accepted, Delivery, accept
from ingest.bearer import SENDING, Caller, caller_with
from ingest.bodies_in import SentFile
from ingest.cases import Limits, Refused
from ingest.clients import builds
from ingest.refusals import Refusal
from ingest.refused import count
from ingest.twin import Told, written

P = ParamSpec("P")
View: TypeAlias = Callable[Concatenate[HttpRequest, P], HttpResponse]

LARGEST_DOCUMENT = (
    50_000_000  # bytes of JSON or traces once unpacked; clients send a few thousand results at once
)
CALLER = "trophycase.caller"  # where a request keeps who sent it
QUOTED = re.compile(r'token="?([^"\s]+)"?\Z')


def door(
    method: str, *, refuse: Callable[[Refusal], object]
) -> Callable[[View[P]], Callable[Concatenate[HttpRequest, P], HttpResponse]]:
    """Make a view that answers one method, and every refusal as JSON in the words that its client prints."""

    def wrap(view: View[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
        def answered(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if request.method != method:
                return HttpResponseNotAllowed([method])
            try:
                return view(request, *args, **kwargs)
            except Refusal as refusal:
                _count(request, refusal)
                return refused(refusal, refuse(refusal))

        answered.__doc__ = view.__doc__
        return csrf_exempt(answered)

    return wrap


def _count(request: HttpRequest, refusal: Refusal) -> None:
    caller: Caller | None = request.META.get(CALLER)
    if caller is not None and request.method in SENDING:
        count(caller.project, caller.token, refusal, now=timezone.now())


def refused(refusal: Refusal, body: object) -> HttpResponse:
    """Return the answer of a refusal."""
    response = JsonResponse(body, status=refusal.status, safe=False)
    if refusal.retry_after_s is not None:
        response["Retry-After"] = str(refusal.retry_after_s)
    return response


def message(refusal: Refusal) -> object:
    """Say a refusal as most clients print it: the whole body, into the log."""
    return {"message": refusal.sentence, "error": refusal.code}


def caller_of(request: HttpRequest, *, header: str = "Authorization") -> Caller:
    """Return whom the token that the request carries speaks for, however its client spells it."""
    plain = secret(request.headers.get(header, ""))
    if not plain:
        raise Refusal(
            "no_token", 401, "No token came with the request. Give the client a token of the project."
        )
    return known(request, caller_with(plain, request))


def known(request: HttpRequest, caller: Caller) -> Caller:
    """Note who sent the request, so that a refusal of it is counted for their project."""
    request.META[CALLER] = caller
    return caller


def secret(spelt: str) -> str:
    """Return the token in `Bearer X`, `token X`, `Token token="X"`, `v1:org/workspace:X` or `X`."""
    said = spelt.strip()
    scheme, _, rest = said.partition(" ")
    if scheme.lower() in ("bearer", "token"):
        said = rest.strip()
    found = QUOTED.match(said)
    return (found[1] if found else said).rpartition(":")[2]


def parcel(request: HttpRequest) -> bodies_in.Body:
    """Return the fields and files of a request, within the limit of an upload."""
    return bodies_in.read(request, limit=settings.TROPHYCASE_MAX_UPLOAD_BYTES)


def content(file: SentFile) -> bytes:
    """Return the bytes of a document unpacked, within the limit."""
    limits = Limits(expanded_bytes=LARGEST_DOCUMENT)
    try:
        for _, stream in bodies.open_body(
            io.BytesIO(file.content), file_name=file.name, content_encoding=file.encoding, limits=limits
        ):
            return stream.read()
    except Refused as problem:
        too_large = problem.problem.code == "too-large"
        raise Refusal(
            "too_large" if too_large else "bad_body", 413 if too_large else 400, problem.problem.sentence
        ) from None
    return b""


def document(request: HttpRequest) -> dict[str, Any]:
    """Return the JSON object that is the request's body."""
    return mapping(b"".join(content(file) for file in parcel(request).files))


def mapping(raw: bytes) -> dict[str, Any]:
    """Return a JSON object; refuse what is none."""
    found = parsed(raw)
    if not isinstance(found, dict):
        raise Refusal("bad_json", 422, "The body is no JSON object.")
    return found


def parsed(raw: bytes) -> Any:
    """Return what a JSON document says; refuse one that cannot be read."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise Refusal("bad_json", 400, "The body is not JSON. Send it again.") from None


def as_report(results: Iterable[Told], *, name: str, root: str = "") -> SentFile:
    """Return results that came in another format as a report; refuse more than one report may hold."""
    told = list(results)
    most = settings.TROPHYCASE_MAX_CASES
    if len(told) > most:
        raise Refusal("too_many_results", 422, f"{len(told):,} results; at most {most:,} go in one request.")
    return SentFile(name, "", b"".join(written(told, root=root)))


def taken(
    caller: Caller,
    files: Sequence[SentFile],
    *said: Mapping[str, str],
    upload_id: uuid.UUID | None = None,
) -> Accepted:
    """Accept the files with what the client said of their build; of two that say the same the later counts."""
    now = timezone.now()
    sent = caller.bound(builds.fitting(*said))
    fields = wishes.fields(sent, default_branch=caller.project.default_branch, now=now)
    return accept(
        caller.project,
        caller.token,
        Delivery(fields, tuple(files)),
        now=now,
        upload_id=upload_id,
        repository=caller.repository,
    )


def address(accepted: Accepted) -> str:
    """Return where a person sees what became of the upload."""
    path = reverse("upload", args=[accepted.upload.project.slug, accepted.upload.id])
    return f"{settings.BASE_URL}{path}"


def n_cases(files: Iterable[SentFile]) -> int:
    """Count the cases of plain reports by their tags: clients print a number, and reading is the worker's business."""
    return sum(file.content.count(b"<testcase") for file in files if not file.encoding)
