"""Opening bodies: compression, archives, broken ones, and bombs."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.bodies import open_body
from ingest.junit import Limits, Problem, Refused, read

REPORT = b"<testsuite name='s'>" + b"<testcase name='a'/>" * 500 + b"</testsuite>"
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "zstd": zstandard.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}


def _zip(files: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return body.getvalue()


def _tar(files: dict[str, bytes]) -> bytes:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w") as archive:
        for name, data in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return body.getvalue()


def _opened(body: bytes, *, coding: str = "", limits: Limits | None = None) -> dict[str, bytes]:
    opened = open_body(io.BytesIO(body), file_name="body", content_encoding=coding, limits=limits)
    return {name: stream.read() for name, stream in opened}


def _refusal(body: bytes, *, coding: str = "", limits: Limits | None = None) -> Problem:
    with pytest.raises(Refused) as caught:
        _opened(body, coding=coding, limits=limits)
    return caught.value.problem


def test_a_plain_body_is_one_report() -> None:
    assert _opened(REPORT) == {"body": REPORT}


@pytest.mark.parametrize("packer", PACKERS)
def test_a_compressed_body_is_one_report(packer: str) -> None:
    assert _opened(PACKERS[packer](REPORT)) == {"body": REPORT}


@pytest.mark.parametrize("coding", ["gzip", "identity", "zstd", "deflate", "gzip, gzip"])
def test_the_bytes_decide_what_a_content_encoding_means(coding: str) -> None:
    assert _opened(REPORT, coding=coding) == {"body": REPORT}
    assert _opened(gzip.compress(REPORT), coding=coding) == {"body": REPORT}


def test_a_compressed_file_in_a_compressed_body_is_opened() -> None:
    assert _opened(gzip.compress(gzip.compress(REPORT)), coding="gzip") == {"body": REPORT}


def test_members_of_a_gzip_follow_one_another() -> None:
    assert _opened(gzip.compress(REPORT[:100]) + gzip.compress(REPORT[100:])) == {"body": REPORT}


@pytest.mark.parametrize(
    "pack", [_zip, _tar, lambda files: gzip.compress(_tar(files)), lambda f: zstandard.compress(_tar(f))]
)
def test_an_archive_gives_its_reports_alone(pack: Callable[[dict[str, bytes]], bytes]) -> None:
    body = pack({"a.xml": REPORT, "b/c.xml.gz": gzip.compress(REPORT), "d.png": b"x", "__MACOSX/a.xml": b"x"})

    assert _opened(body) == {"a.xml": REPORT, "b/c.xml": REPORT}


@pytest.mark.parametrize("pack", [_zip, _tar])
def test_an_archive_without_a_report_is_refused(pack: Callable[[dict[str, bytes]], bytes]) -> None:
    assert _refusal(pack({"a.png": b"x"})).code == "no-reports"


@pytest.mark.parametrize("pack", [_zip, _tar])
def test_too_many_reports_are_refused_with_the_limit(pack: Callable[[dict[str, bytes]], bytes]) -> None:
    problem = _refusal(pack({f"{n}.xml": b"<a/>" for n in range(4)}), limits=Limits(files=3))

    assert problem.code == "too-many-files"
    assert "limit of 3 " in problem.sentence


@pytest.mark.parametrize("packer", PACKERS)
def test_a_bomb_is_refused_with_the_limit(packer: str) -> None:
    bomb = PACKERS[packer](bytes(20_000_000))

    problem = _refusal(bomb, limits=Limits(expanded_bytes=1_000_000))

    assert problem.code == "too-large"
    assert "limit of 1,000,000 bytes" in problem.sentence


@pytest.mark.parametrize("pack", [_zip, _tar])
def test_all_files_of_an_archive_share_one_limit(pack: Callable[[dict[str, bytes]], bytes]) -> None:
    body = gzip.compress(pack({f"{n}.xml.gz": gzip.compress(bytes(300_000)) for n in range(4)}))

    assert _refusal(body, limits=Limits(expanded_bytes=1_000_000)).code == "too-large"


def test_an_unknown_coding_is_refused_by_name() -> None:
    problem = _refusal(REPORT, coding="br")

    assert problem.code == "content-encoding"
    assert "br" in problem.sentence


def test_a_method_that_expands_blocks_of_any_size_is_refused() -> None:
    assert _refusal(_zip({"a.xml": REPORT}, method=zipfile.ZIP_BZIP2)).code == "broken-archive"


@pytest.mark.parametrize("packer", ["gzip", "zlib"])
def test_a_cut_off_body_gives_what_came_before(packer: str) -> None:
    names = "".join(f"<testcase name='t{n * 7919 % 10007}'/>" for n in range(2_000))
    packed = PACKERS[packer](f"<testsuite>{names}</testsuite>".encode())

    [(name, stream)] = open_body(io.BytesIO(packed[: len(packed) // 2]), file_name="r.xml")
    reading = read(stream, file_name=name)
    cases = list(reading.cases())

    assert 500 < len(cases) < 1_500
    assert reading.is_incomplete


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(
        [*(pack(REPORT) for pack in PACKERS.values()), _zip({"a.xml": REPORT}), _tar({"a.xml": REPORT})]
    ),
    st.integers(min_value=0, max_value=10_000),
    st.binary(min_size=1, max_size=8),
)
def test_no_broken_body_crashes(body: bytes, position: int, noise: bytes) -> None:
    position %= len(body)
    broken = body[:position] + noise + body[position + len(noise) :]

    with suppress(Refused):
        _opened(broken, limits=Limits(expanded_bytes=50_000_000))


PACKAGE = b'{"name": "shop", "version": "1.0.0", "scripts": {"test": "jest"}}'
EVENT = b'{"Action":"run","Package":"shop","Test":"TestAdds"}\n' + b'{"Action":"pass"}\n' * 10_000
FORMATS = Path(__file__).resolve().parent.parent / "data" / "formats"


@pytest.mark.parametrize("pack", [_zip, _tar, lambda files: gzip.compress(_tar(files))])
def test_an_archive_gives_json_that_begins_as_a_report(pack: Callable[[dict[str, bytes]], bytes]) -> None:
    body = pack({"package.json": PACKAGE, "go.json": EVENT, "b/go.jsonl.gz": gzip.compress(EVENT)})

    assert _opened(body) == {"go.json": EVENT, "b/go.jsonl": EVENT}


@pytest.mark.parametrize("name", ["ctrf.json", "go.json", "jest.json", "playwright.json", "pytest.json"])
def test_json_of_every_known_runner_is_found_in_an_archive(name: str) -> None:
    report = (FORMATS / name).read_bytes()

    assert _opened(_zip({f"out/{name}": report})) == {f"out/{name}": report}


@pytest.mark.parametrize("pack", [_zip, _tar])
def test_json_that_is_no_report_counts_for_nothing(pack: Callable[[dict[str, bytes]], bytes]) -> None:
    others = {f"{n}.json": PACKAGE for n in range(20)}

    assert list(_opened(pack({**others, "a.xml": REPORT}), limits=Limits(files=1))) == ["a.xml"]
    assert _refusal(pack(others)).code == "no-reports"


def test_a_bomb_that_is_called_json_is_not_unpacked() -> None:
    bombs = {f"{n}.json": bytes(10_000_000) for n in range(5)}

    opened = _opened(_zip({**bombs, "a.xml": REPORT}), limits=Limits(expanded_bytes=100_000))

    assert list(opened) == ["a.xml"]
