"""From the bytes of a report to UTF-8 that XML 1.0 allows, chunk by chunk.

Knows encodings, log lines before the document, and characters that XML forbids; it remembers what it
changed and where. Well-formedness is for ingest.junit.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

from lxml import etree

from ingest.cases import Limits, Problem, refusal, warning

FORBIDDEN = bytes(code for code in range(32) if code not in b"\t\n\r")
FORBIDDEN_BYTE = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
NONCHARACTER = re.compile(rb"\xef\xbf[\xbe\xbf]")  # U+FFFE and U+FFFF
REFERENCE = re.compile(rb"&#(?:x([0-9A-Fa-f]{1,8})|([0-9]{1,10}));")
LONGEST_REFERENCE = 14
DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z][\w.:-]*)")
START = re.compile(r"<\?xml\s|<!DOCTYPE|<(?:\w+:)?(?:testsuites?|testcase)[\s>/]")
MARKUP = re.compile(r"<[?!A-Za-z_:\u0080-\U0010ffff]")
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
FIRST_BYTES = (  # "<" or "<?" without a byte order mark
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
# Python codecs that are no character encodings of files.
NO_ENCODINGS = frozenset(
    {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem"}
)
HEAD_BYTES = 4_096
RARE_BYTES = 64_000_000  # a file in an encoding that only libxml2 knows is converted in one piece


class Cleaner:
    """The bytes of one report as an iterator of clean UTF-8 chunks."""

    def __init__(self, chunks: Iterable[bytes], *, file_name: str, limits: Limits) -> None:
        self._chunks = _counted(chunks, file_name=file_name, limits=limits)
        self._file = file_name
        self._limits = limits
        self.line = 1  # of the next byte that leaves
        self.column = 0
        self.n_cut_lines = 0
        self.n_dropped = 0
        self.n_replaced = 0
        self._dropped_at = (1, 0)
        self._replaced_at = (1, 0)
        self._mismatch = ""

    def __iter__(self) -> Iterator[bytes]:
        rest = b""
        for part in self._document():
            data = rest + part
            at = data.rfind(b"&", max(0, len(data) - LONGEST_REFERENCE))
            data, rest = (data, b"") if at < 0 else (data[:at], data[at:])
            yield self._allowed(data)
        yield self._allowed(rest)

    def problems(self) -> list[Problem]:
        """Return a warning for each kind of repair that was made."""
        found = []
        if self.n_cut_lines:
            plural = "line" if self.n_cut_lines == 1 else "lines"
            sentence = f"{self.n_cut_lines} {plural} before the XML document were cut."
            found.append(warning("text-before-document", sentence, file=self._file, line=1, column=0))
        if self.n_dropped:
            sentence = f"{self.n_dropped:,} characters that XML 1.0 forbids were dropped."
            found.append(self._warning("forbidden-characters", sentence, self._dropped_at))
        if self.n_replaced:
            sentence = "Bytes that are not in the file's encoding were replaced by U+FFFD."
            found.append(self._warning("undecodable-bytes", sentence, self._replaced_at))
        if self._mismatch:
            found.append(self._warning("encoding-mismatch", self._mismatch, (1, 0)))
        return found

    def _warning(self, code: str, sentence: str, place: tuple[int, int]) -> Problem:
        return warning(code, sentence, file=self._file, line=place[0], column=place[1])

    def _document(self) -> Iterator[bytes]:
        """Recode as UTF-8, and leave out what stands before the document."""
        head = b""
        for chunk in self._chunks:
            head += chunk
            if len(head) >= HEAD_BYTES:
                break
        if not head.strip():
            raise refusal("empty", "The file is empty.", file=self._file, line=1, column=0)
        encoding, mark = self._encoding(head)
        parts = self._recoded(head[mark:], encoding)
        text = next(parts, b"").decode()
        while (start := _start(text)) is None and len(text) < self._limits.preamble_bytes:
            if (more := next(parts, None)) is None:
                break
            text += more.decode()
        if start is None:
            raise refusal("not-xml", _not_xml(text), file=self._file, line=1, column=0)
        self._cut(text[:start])
        yield text[start:].encode()
        yield from parts

    def _cut(self, preamble: str) -> None:
        n_lines = preamble.count("\n")
        self.line += n_lines
        self.column = len(preamble) - preamble.rfind("\n") - 1
        if preamble.strip():
            self.n_cut_lines = n_lines or 1

    def _encoding(self, head: bytes) -> tuple[str, int]:
        """Return the encoding and the length of the byte order mark."""
        declared = DECLARED.search(head[:HEAD_BYTES])
        name = declared[1].decode("ascii").lower() if declared else ""
        for mark, encoding in BYTE_ORDER_MARKS:
            if head.startswith(mark):
                return encoding, len(mark)
        for first, encoding in FIRST_BYTES:
            if head.startswith(first):
                if (
                    name := head.replace(b"\0", b"")[:200]
                    .decode("latin-1")
                    .partition("encoding=")[2][1:6]
                    .lower()
                ):
                    self._compare(name, encoding)
                return encoding, 0
        if name.startswith(("utf-16", "utf16", "utf-32", "ucs-2", "ucs-4", "iso-10646-ucs")):
            self._mismatch = f"The declaration says {name}, but the bytes are UTF-8 and were read so."
            return "utf-8", 0
        return name or "utf-8", 0

    def _compare(self, name: str, encoding: str) -> None:
        if not name.startswith(("utf-1", "utf16", "utf-3", "ucs-", "iso-1")):
            self._mismatch = f"The declaration says {name}, but the bytes are {encoding} and were read so."

    def _recoded(self, head: bytes, encoding: str) -> Iterator[bytes]:
        decoder = _decoder(encoding, errors="strict")
        if decoder is None:
            yield self._converted(head, encoding)
            return
        is_ascii_transparent = encoding in ("utf-8", "utf8", "us-ascii", "ascii")
        for chunk in _and_end(head, self._chunks):
            state, is_last = decoder.getstate(), chunk is None
            if chunk and is_ascii_transparent and not state[0] and chunk.isascii():
                yield chunk  # nearly every chunk of nearly every report
                continue
            try:
                yield decoder.decode(chunk or b"", is_last).encode("utf-8", "replace")
            except UnicodeDecodeError as error:
                decoder = _decoder(encoding, errors="replace")
                assert decoder is not None
                decoder.setstate(state)
                if not (is_last and not self.n_replaced):  # a cut inside a character is a truncation
                    self._replaced((chunk or b"")[: error.start])
                yield decoder.decode(chunk or b"", is_last).encode("utf-8", "replace")

    def _replaced(self, before: bytes) -> None:
        if not self.n_replaced:
            self._replaced_at = self._place(before)
        self.n_replaced += 1

    def _converted(self, head: bytes, encoding: str) -> bytes:
        """Read an encoding that Python does not know through libxml2, which asks iconv."""
        data = bytearray(head)
        for chunk in self._chunks:
            data += chunk
            if len(data) > RARE_BYTES:
                sentence = f"A file in the encoding {encoding} may hold at most {RARE_BYTES:,} bytes."
                raise refusal("too-large", sentence, file=self._file)
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        try:
            tree = etree.fromstring(bytes(data), parser).getroottree()
        except etree.XMLSyntaxError as error:
            sentence = f"The encoding {encoding} is not known, or the file is not well-formed: {error.msg}"
            line, column = error.position
            raise refusal("encoding", sentence, file=self._file, line=line, column=column) from None
        return etree.tostring(tree, encoding="utf-8")

    def _allowed(self, data: bytes) -> bytes:
        """Drop what XML 1.0 forbids and keep count of lines."""
        clean = data.translate(None, FORBIDDEN)
        # One byte is found ten times as fast as two.
        if not clean.isascii() and b"\xef\xbf" in clean:
            clean = NONCHARACTER.sub(b"", clean)
        if b"&" in clean and b"&#" in clean:
            clean = REFERENCE.sub(_allowed_reference, clean)
        if len(clean) != len(data):
            self._note_dropped(data)
        n_lines = data.count(b"\n")
        self.line += n_lines
        self.column = _width(data) + (0 if n_lines else self.column)
        return clean

    def _note_dropped(self, data: bytes) -> None:
        if not self.n_dropped:
            places = [
                found.start() for pattern in (FORBIDDEN_BYTE, NONCHARACTER) if (found := pattern.search(data))
            ]
            illegal = (found.start() for found in REFERENCE.finditer(data) if not _allowed_reference(found))
            places.extend(next(([place] for place in illegal), []))
            self._dropped_at = self._place(data[: min(places, default=0)])
        n_references = sum(_allowed_reference(found) == b"" for found in REFERENCE.finditer(data))
        n_bytes = len(data) - len(data.translate(None, FORBIDDEN))
        self.n_dropped += n_references + n_bytes + len(NONCHARACTER.findall(data))

    def _place(self, before: bytes) -> tuple[int, int]:
        n_lines = before.count(b"\n")
        return self.line + n_lines, _width(before) + (0 if n_lines else self.column)


def _width(data: bytes) -> int:
    """Return the number of characters on the last line."""
    return len(data[data.rfind(b"\n") + 1 :].decode("utf-8", "ignore"))


def _counted(chunks: Iterable[bytes], *, file_name: str, limits: Limits) -> Iterator[bytes]:
    n_bytes = 0
    for chunk in chunks:
        n_bytes += len(chunk)
        if n_bytes > limits.expanded_bytes:
            sentence = f"The report is larger than the limit of {limits.expanded_bytes:,} bytes."
            raise refusal("too-large", sentence, file=file_name)
        yield chunk


def _and_end(head: bytes, chunks: Iterable[bytes]) -> Iterator[bytes | None]:
    yield head
    yield from chunks
    yield None


def _decoder(encoding: str, *, errors: str) -> codecs.IncrementalDecoder | None:
    try:
        codec = codecs.lookup(encoding)
    except LookupError:
        return None
    is_text = getattr(codec, "_is_text_encoding", True) and codec.name not in NO_ENCODINGS
    return codec.incrementaldecoder(errors) if is_text and codec.incrementaldecoder else None


def _start(text: str) -> int | None:
    """Return where the document begins: at the first markup, or at its first known word after other text."""
    stripped = text.lstrip("\ufeff \t\r\n\0")
    if MARKUP.match(stripped):
        return len(text) - len(stripped)
    found = START.search(text)
    return found.start() if found else None


def _not_xml(text: str) -> str:
    first = text.strip()[:1]
    kind = {"{": "It looks like JSON.", "[": "It looks like JSON."}.get(first, "")
    return f"The file is not XML: no element was found. {kind}".strip()


def _allowed_reference(found: re.Match[bytes]) -> bytes:
    code = int(found[1], 16) if found[1] else int(found[2])
    is_allowed = (
        code in (9, 10, 13) or 32 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF
    )
    return found[0] if is_allowed else b""
