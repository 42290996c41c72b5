"""From the body of an upload to the report files in it: compression and archives, opened while streaming.

Knows gzip, zlib, zstd, xz, bzip2, zip and tar, told by their first bytes and never by a name. An archive
holds reports as they are or compressed one by one; archives inside archives are left out, and so is JSON that
does not begin as a report. All bytes of one body share one limit, checked on what really comes out: no header
is believed, no bomb reaches memory.
"""

from __future__ import annotations

import bz2
import io
import lzma
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, BinaryIO, Protocol, cast

import zstandard

from ingest.cases import Limits, Refused, refusal
from ingest.formats import heads

CHUNK_BYTES = 65_536
MAGIC_BYTES = 512
IN_MEMORY_BYTES = 8_000_000  # a zip needs its end first; a larger one waits on disk
LARGEST_WINDOW = 1 << 27  # 128 MB is what zstd --long asks for; a frame may claim 2 GB
LARGEST_HEADER = 1_000_000  # bytes of a tar's extended header: names, not content
LARGEST_DIRECTORY = 8_000_000  # bytes of a zip's directory: a hundred thousand names
END_RECORD_BYTES = 65_557  # the end of a zip with the longest comment
REPORT_SUFFIXES = (".xml", ".junit", ".trx", ".tap")
JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")  # reports only where they begin as one
PACKED_SUFFIXES = (".gz", ".zst", ".xz", ".bz2", ".z")
EXTENDED_TYPES = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, b"L", b"K")
XZ_MEMORY = 128_000_000
BROKEN = (
    *(EOFError, NotImplementedError, ValueError, IndexError, struct.error, zlib.error, lzma.LZMAError),
    *(zstandard.ZstdError, zipfile.BadZipFile, tarfile.TarError),
)


class Decompressor(Protocol):
    """What zlib, bz2 and lzma have in common, after `Zlib` brought zlib into line."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class Zlib:
    """A zlib decompressor that keeps its own unconsumed input, as those of bz2 and lzma do."""

    def __init__(self, window_bits: int) -> None:
        self._inner = zlib.decompressobj(window_bits)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail and not self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max(0, max_length))


class Expanded(io.RawIOBase):
    """A compressed stream as it was before; a stream that is cut off ends where it was cut."""

    def __init__(self, source: BinaryIO, make: Callable[[], Decompressor]) -> None:
        self._source = source
        self._make = make
        self._decompressor = make()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        data = self._next(len(view))
        view[: len(data)] = data
        return len(data)

    def _next(self, size: int) -> bytes:
        while True:
            rest = b""
            if self._decompressor.eof:  # several members may follow one another
                rest = self._decompressor.unused_data.lstrip(b"\0") or self._source.read(CHUNK_BYTES)
                if not rest:
                    return b""
                self._decompressor = self._make()
            elif self._decompressor.needs_input and not (rest := self._source.read(CHUNK_BYTES)):
                return b""
            try:
                data = self._decompressor.decompress(rest, size)
            except OSError as error:  # how bz2 alone spells it
                raise zlib.error(str(error)) from None
            if data:
                return data


class Budget(io.RawIOBase):
    """A stream that counts what comes out of it, together with all other streams of the body."""

    def __init__(
        self, source: BinaryIO | IO[bytes], spent: list[int], *, file_name: str, limits: Limits
    ) -> None:
        self._source = source
        self._spent = spent
        self._file = file_name
        self._limits = limits

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        try:
            data = self._source.read(len(view))
        except BROKEN as error:
            raise _broken(self._file, error) from None
        self._spent[0] += len(data)
        if self._spent[0] > self._limits.expanded_bytes:
            limit = f"{self._limits.expanded_bytes:,} bytes"
            raise refusal(
                "too-large", f"The body expands to more than the limit of {limit}.", file=self._file
            )
        view[: len(data)] = data
        return len(data)


class TarHeader(tarfile.TarInfo):
    """A tar header whose extended part, which tarfile reads into memory, has a limit."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str | None, errors: str) -> TarHeader:
        """Read a header block; refuse one that announces an extended header of any size."""
        header = super().frombuf(buf, encoding, errors)  # type: ignore[arg-type]
        if header.type in EXTENDED_TYPES and header.size > LARGEST_HEADER:
            raise tarfile.ReadError("an extended header is too large")
        return header


def open_body(
    stream: BinaryIO, *, file_name: str, content_encoding: str = "", limits: Limits | None = None
) -> Iterator[tuple[str, BinaryIO]]:
    """Yield the name and stream of each report in a body; read each stream before asking for the next.

    Raises Refused when a limit is met, a coding is unknown, or an archive is broken or holds no report; here
    or while a stream is being read.
    """
    limits = limits or Limits()
    spent = [0]
    for coding in reversed([part.strip().lower() for part in content_encoding.split(",") if part.strip()]):
        stream = _decoded(stream, coding, file_name=file_name)
    try:
        yield from _opened(_peekable(stream), file_name=file_name, spent=spent, limits=limits)
    except BROKEN as error:
        raise _broken(file_name, error) from None


def _broken(file_name: str, error: BaseException) -> Refused:
    sentence = f"The compressed data is broken: {str(error) or type(error).__name__}."
    return refusal("broken-archive", sentence, file=file_name)


def _decoded(stream: BinaryIO, coding: str, *, file_name: str) -> BinaryIO:
    """Undo one Content-Encoding. Some senders name one and do not apply it, so the bytes decide."""
    if coding in ("identity", "none"):
        return stream
    if coding not in ("gzip", "x-gzip", "deflate", "zstd", "xz", "bzip2"):
        sentence = f"The Content-Encoding {coding[:40]} is not known; gzip, deflate and zstd are."
        raise refusal("content-encoding", sentence, file=file_name)
    peekable = _peekable(stream)
    make = _compression(_head(peekable))
    return _expanded(peekable, make) if make else peekable


def _peekable(stream: BinaryIO | io.RawIOBase) -> BinaryIO:
    if isinstance(stream, io.BufferedReader):
        return stream
    raw = stream if isinstance(stream, io.RawIOBase) else Raw(stream)
    return io.BufferedReader(raw, buffer_size=CHUNK_BYTES)


class Raw(io.RawIOBase):
    """Any object with `read`, as a raw stream."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        data = self._source.read(len(view))
        view[: len(data)] = data
        return len(data)


def _head(stream: BinaryIO) -> bytes:
    return cast(io.BufferedReader, stream).peek(MAGIC_BYTES)[:MAGIC_BYTES]


def _compression(head: bytes) -> str:
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return "zstd"
    if head.startswith(b"\xfd7zXZ\0"):
        return "xz"
    if head.startswith(b"BZh"):
        return "bzip2"
    is_zlib = len(head) > 1 and head[0] == 0x78 and (head[0] * 256 + head[1]) % 31 == 0
    return "zlib" if is_zlib else ""


def _expanded(stream: BinaryIO, compression: str) -> BinaryIO:
    if compression == "zstd":
        decompressor = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
        reader = decompressor.stream_reader(stream, read_across_frames=True)
        return _peekable(Raw(cast(BinaryIO, reader)))
    makers: dict[str, Callable[[], Decompressor]] = {
        "gzip": lambda: Zlib(31),
        "zlib": lambda: Zlib(15),
        "xz": lambda: lzma.LZMADecompressor(memlimit=XZ_MEMORY),
        "bzip2": bz2.BZ2Decompressor,
    }
    return _peekable(Expanded(stream, makers[compression]))


def _opened(
    stream: BinaryIO, *, file_name: str, spent: list[int], limits: Limits
) -> Iterator[tuple[str, BinaryIO]]:
    """Open what the first bytes say: a compressed body, an archive, or a report as it is."""
    if compression := _compression(_head(stream)):
        stream = _expanded(stream, compression)
        file_name = _unpacked_name(file_name)
    head = _head(stream)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        yield from _zipped(stream, file_name=file_name, spent=spent, limits=limits)
    elif head[257:262] == b"ustar":
        yield from _tarred(stream, file_name=file_name, spent=spent, limits=limits)
    else:
        yield file_name, _peekable(Budget(stream, spent, file_name=file_name, limits=limits))


def _zipped(
    stream: BinaryIO, *, file_name: str, spent: list[int], limits: Limits
) -> Iterator[tuple[str, BinaryIO]]:
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as spool:
        whole = Budget(stream, [0], file_name=file_name, limits=limits)
        while chunk := whole.read(CHUNK_BYTES):
            spool.write(chunk)
        _check_directory(spool, file_name=file_name)
        with zipfile.ZipFile(cast(IO[bytes], spool)) as archive:
            infos = [info for info in archive.infolist() if _may_be_report(info.filename)]
            n_reports = sum(not _is_json(info.filename) for info in infos)
            _check_count(n_reports, file_name=file_name, limits=limits)
            for info in infos:
                if _is_json(info.filename) and not _is_readable(info):
                    continue
                if not _is_readable(info):
                    sentence = "A member of the zip is encrypted or packed otherwise than by Deflate."
                    raise refusal("broken-archive", sentence, file=info.filename)
                with archive.open(info) as member:
                    opened = _member(member, name=info.filename, spent=spent, limits=limits)
                    if opened is not None:
                        n_reports += _is_json(info.filename)
                        _check_count(n_reports, file_name=file_name, limits=limits)
                        yield opened
            _check_any(n_reports, file_name=file_name)


def _is_readable(info: zipfile.ZipInfo) -> bool:
    # The other methods of zipfile expand a block in one piece, of any size.
    return not info.flag_bits & 1 and info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def _check_directory(spool: tempfile.SpooledTemporaryFile[bytes], *, file_name: str) -> None:
    """Refuse a zip whose directory, which zipfile reads into memory, is too large."""
    spool.seek(max(0, spool.tell() - END_RECORD_BYTES))
    end = spool.read()
    at = end.rfind(b"PK\x05\x06")
    size = int.from_bytes(end[at + 12 : at + 16], "little") if at >= 0 else 0
    if size > LARGEST_DIRECTORY:
        sentence = f"The directory of the zip is larger than the limit of {LARGEST_DIRECTORY:,} bytes."
        raise refusal("too-many-files", sentence, file=file_name)
    spool.seek(0)


def _tarred(
    stream: BinaryIO, *, file_name: str, spent: list[int], limits: Limits
) -> Iterator[tuple[str, BinaryIO]]:
    n_reports = 0
    # The archive's own bytes count too: a tar of empty files is nothing but headers.
    whole = _peekable(Budget(stream, [0], file_name=file_name, limits=limits))
    with tarfile.open(fileobj=whole, mode="r|", tarinfo=TarHeader) as archive:
        for header in archive:
            archive.members = []  # type: ignore[attr-defined]  # tarfile would remember every one
            if not header.isreg() or not _may_be_report(header.name):
                continue
            member = archive.extractfile(header)
            opened = member and _member(member, name=header.name, spent=spent, limits=limits)
            if opened:
                n_reports += 1
                _check_count(n_reports, file_name=file_name, limits=limits)
                yield opened
    _check_any(n_reports, file_name=file_name)


def _member(member: IO[bytes], *, name: str, spent: list[int], limits: Limits) -> tuple[str, BinaryIO] | None:
    """Return the name and stream of a report in an archive; None for JSON that is none."""
    is_json = _is_json(name)
    # Of JSON that is no report no more than its beginning is unpacked.
    size = heads.HEAD_BYTES if is_json else CHUNK_BYTES
    stream: BinaryIO = io.BufferedReader(Raw(cast(BinaryIO, member)), size)
    if compression := _compression(_head(stream)):
        stream = _expanded(stream, compression)
        name = _unpacked_name(name)
    budgeted = io.BufferedReader(Budget(stream, spent, file_name=name, limits=limits), size)
    if not is_json:
        return name, budgeted
    return (name, io.BufferedReader(Raw(budgeted), CHUNK_BYTES)) if heads.is_report(budgeted.peek()) else None


def _check_count(n_reports: int, *, file_name: str, limits: Limits) -> None:
    if n_reports > limits.files:
        sentence = f"The archive holds more than the limit of {limits.files:,} reports."
        raise refusal("too-many-files", sentence, file=file_name)


def _check_any(n_reports: int, *, file_name: str) -> None:
    if not n_reports:
        known = ", ".join(REPORT_SUFFIXES)
        sentence = f"The archive holds no report: no file that ends in {known}, and no JSON of a test runner."
        raise refusal("no-reports", sentence, file=file_name)


def _may_be_report(name: str) -> bool:
    lowered = name.lower()
    parts = lowered.split("/")
    if "__macosx" in parts or parts[-1].startswith("._"):  # what macOS adds to every zip
        return False
    return _unpacked_name(lowered).endswith(REPORT_SUFFIXES + JSON_SUFFIXES)


def _is_json(name: str) -> bool:
    return _unpacked_name(name.lower()).endswith(JSON_SUFFIXES)


def _unpacked_name(name: str) -> str:
    for suffix in PACKED_SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name
