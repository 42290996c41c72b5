"""The uploader finds the repository's CODEOWNERS file and sends it as a part of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from uploader import trophycase


def test_the_repositorys_own_file_is_found_from_a_folder_below(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "CODEOWNERS").write_text("* @docs\n")
    (tmp_path / "CODEOWNERS").write_text("* @root\n")
    below = tmp_path / "packages" / "web"
    below.mkdir(parents=True)

    assert trophycase.owners_file("", folder=below) == b"* @root\n"


@pytest.mark.parametrize("said", ["off", "nowhere/CODEOWNERS"])
def test_nothing_is_sent_where_there_is_nothing_or_nothing_is_wanted(tmp_path: Path, said: str) -> None:
    (tmp_path / "CODEOWNERS").write_text("* @root\n")

    assert trophycase.owners_file(said, folder=tmp_path) == b""


def test_a_file_that_the_server_would_refuse_is_not_sent(tmp_path: Path) -> None:
    (tmp_path / "CODEOWNERS").write_bytes(b"#" * 1_000_001)

    assert trophycase.owners_file("", folder=tmp_path) == b""


def test_the_file_is_a_part_of_its_own(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text("<testsuite/>")

    parcel = trophycase.packed([report], {"run": "r1"}, owners=b"* @ada\n")

    assert b'name="codeowners"; filename="CODEOWNERS"\r\n\r\n* @ada\n\r\n--' in parcel.body
    assert parcel.content_type != trophycase.packed([report], {"run": "r1"}).content_type
