"""The body of an upload request: multipart or one raw report, perhaps gzipped, read up to a limit.

Takes bytes as they came: what is in them is the worker's business. A multipart body that is gzipped as a whole is unpacked
here, since its parts cannot be told otherwise.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO, Any, TypeAlias, cast

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, TooManyFilesSent
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import MemoryFileUploadHandler, TemporaryFileUploadHandler
from django.http import HttpRequest, QueryDict
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.http.request import RawPostDataException, UnreadablePostError
from django.utils.datastructures import MultiValueDict

from ingest.refusals import Refusal
from projects.code_owners import LARGEST

Parts: TypeAlias = "MultiValueDict[str, UploadedFile[Any]]"

CHUNK = 1 << 16
SPOOL = 4 << 20  # larger bodies go through the disk
RAW_NAME = "report.xml"
CODEOWNERS = "codeowners"  # the part, or field, that holds no report


@dataclass(frozen=True, slots=True)
class SentFile:
    """One file of a request: its name, the encoding that its bytes are in, and the bytes."""

    name: str
    encoding: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Body:
    """The fields and files of a request, and the text of a CODEOWNERS file that came with them."""

    fields: dict[str, str]
    files: tuple[SentFile, ...]
    codeowners: str = ""


def read(request: HttpRequest, *, limit: int) -> Body:
    """Read the body; raise Refusal where it is empty, too large or not what it says."""
    _refuse_too_large(_announced(request), limit)
    fields = {name: request.GET[name] for name in request.GET}
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding in ("", "identity"):
        encoding = ""
    elif encoding not in ("gzip", "x-gzip", "zstd"):
        raise Refusal(
            "bad_encoding", 415, f"Content-Encoding {encoding[:30]!r} is not known. Send gzip or zstd."
        )
    if request.content_type != "multipart/form-data":
        content = _bounded(request, limit)
        return Body(fields, (SentFile(RAW_NAME, encoding.removeprefix("x-"), content),) if content else ())
    posted, parts = _parts(request, encoding, limit)
    fields |= {name: value for name, value in posted.items() if isinstance(value, str)}
    return Body(fields, tuple(_files(parts, limit)), _codeowners(fields, parts))


def _codeowners(fields: dict[str, str], parts: Parts) -> str:
    """Take the CODEOWNERS file out of the fields, where it came as one, or from the part of its name."""
    text = fields.pop(CODEOWNERS, "")
    part = parts.get(CODEOWNERS)
    size = len(text) if part is None else part.size or 0
    if size > LARGEST:
        raise Refusal(
            "too_large",
            413,
            f"The CODEOWNERS file has {size / 1e6:.1f} MB; the limit is {LARGEST / 1e6:.0f} MB. Send the upload without it.",
        )
    return text if part is None else part.read().decode("utf-8", "replace")


def _announced(request: HttpRequest) -> int:
    length = request.META.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isdigit() else 0


def _refuse_too_large(n_bytes: int, limit: int) -> None:
    if n_bytes > limit:
        raise Refusal(
            "too_large",
            413,
            f"The upload has {n_bytes / 1e6:.1f} MB; the limit is {limit / 1e6:.0f} MB. Compress it, or send several.",
        )


def _bounded(request: HttpRequest, limit: int) -> bytes:
    try:
        content = request.read(limit + 1)
    except (UnreadablePostError, RawPostDataException, OSError):
        raise Refusal("broken_off", 400, "The request broke off before its end. Send it again.") from None
    _refuse_too_large(len(content), limit)
    return content


def _parts(request: HttpRequest, encoding: str, limit: int) -> tuple[QueryDict, Parts]:
    try:
        if encoding == "gzip" or encoding == "x-gzip":
            return _unpacked_parts(request, limit)
        return request.POST, request.FILES
    except (MultiPartParserError, UnreadablePostError, OSError):
        raise Refusal(
            "bad_multipart", 400, "The multipart body cannot be read. Send it again, as curl -F does."
        ) from None
    except TooManyFilesSent:
        raise Refusal(
            "too_many_files",
            413,
            f"More than {settings.DATA_UPLOAD_MAX_NUMBER_FILES} files. Send them as one zip or tar.gz.",
        ) from None
    except (RequestDataTooBig, SuspiciousOperation):
        raise Refusal(
            "bad_fields", 413, "A field is too long or there are too many. Send reports as files."
        ) from None


def _unpacked_parts(request: HttpRequest, limit: int) -> tuple[QueryDict, Parts]:
    """Unpack a multipart body that was gzipped as a whole, within the limit, and take it apart."""
    with SpooledTemporaryFile(SPOOL) as spool:
        size = _gunzip(request, spool, limit)
        spool.seek(0)
        meta = {**request.META, "CONTENT_LENGTH": str(size)}
        handlers = [MemoryFileUploadHandler(request), TemporaryFileUploadHandler(request)]
        parsed: tuple[QueryDict, Parts] = MultiPartParser(
            meta, cast(Any, spool), handlers, request.encoding or "utf-8"
        ).parse()
        return parsed


def _gunzip(request: HttpRequest, spool: IO[bytes], limit: int) -> int:
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    size = 0
    while chunk := request.read(CHUNK):
        while chunk:
            try:
                plain = inflater.decompress(chunk, CHUNK)
            except zlib.error:
                raise Refusal("bad_gzip", 400, "The body says it is gzip, and is not.") from None
            size += len(plain)
            _refuse_too_large(size, limit)
            spool.write(plain)
            chunk = inflater.unconsumed_tail
    if not inflater.eof:
        raise Refusal("bad_gzip", 400, "The gzip body broke off before its end. Send it again.")
    return size


def _files(parts: Parts, limit: int) -> list[SentFile]:
    found = []
    size = 0
    for name in parts:
        if name == CODEOWNERS:
            continue
        for part in parts.getlist(name):
            size += part.size or 0
            _refuse_too_large(size, limit)
            found.append(SentFile((part.name or RAW_NAME)[-500:], "", part.read()))
    return found
