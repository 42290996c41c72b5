"""Which files the uploader takes, how it packs them, and what it keeps to send later."""

from __future__ import annotations

import io
import os
import tarfile
import time
from pathlib import Path

import pytest

from uploader import trophycase

# --- which files


def names(answer: trophycase.Found) -> list[str]:
    """Return the found files by name."""
    return [path.as_posix() for path in answer.files]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of reports and other files, which is the current one."""
    for name in ("a.xml", "deep/er/b.xml", "other/c.xml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("<testsuite/>")
    (tmp_path / "pom.xml").write_text('<?xml version="1.0"?>\n<!-- built --><project xmlns="m"/>')
    (tmp_path / "empty.xml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_patterns_find_files_in_any_folder_once(folder: Path) -> None:
    answer = trophycase.found(["**/*.xml", "a.xml", "deep/*/b.xml"])

    assert names(answer) == ["a.xml", "deep/er/b.xml", "other/c.xml"]


def test_wide_patterns_leave_out_what_is_no_report(folder: Path) -> None:
    answer = trophycase.found(["*.xml"])

    assert [line.partition(":")[0] for line in answer.left_out] == ["empty.xml", "pom.xml"]


def test_a_file_named_by_itself_is_sent_whatever_it_is(folder: Path) -> None:
    assert names(trophycase.found(["pom.xml"])) == ["pom.xml"]


def test_patterns_come_on_lines_with_choices_and_exceptions(folder: Path) -> None:
    assert names(trophycase.found(["{deep,other}/**/*.xml\n!other/**"])) == ["deep/er/b.xml"]


def test_a_folder_stands_for_all_its_xml(folder: Path) -> None:
    assert names(trophycase.found(["deep"])) == ["deep/er/b.xml"]


def test_a_pattern_that_names_nothing_is_told(folder: Path) -> None:
    assert trophycase.found(["nothing/*.xml"]).unmatched == ["nothing/*.xml"]


def test_reports_of_an_earlier_run_are_left_out_when_asked(folder: Path) -> None:
    os.utime(folder / "a.xml", (1, 1))

    assert names(trophycase.found(["a.xml", "other"], newer_than=time.time() - 3600)) == ["other/c.xml"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a", ["a"]),
        ("{a,b}", ["a", "b"]),
        ("x{a,b}y{1,2}", ["xay1", "xay2", "xby1", "xby2"]),
        ("{a}", ["{a}"]),
    ],
)
def test_braces_stand_for_each_of_their_words(pattern: str, expected: list[str]) -> None:
    assert trophycase.braces(pattern) == expected


# --- packing


def test_the_same_files_give_the_same_bytes(folder: Path) -> None:
    files = [Path("a.xml"), Path("deep/er/b.xml")]
    first = trophycase.packed(files, {"run": "r1"})
    os.utime("a.xml", (1, 1))

    assert trophycase.packed(files, {"run": "r1"}) == first


def test_an_archive_keeps_folders_and_forgets_owners(folder: Path) -> None:
    packed = trophycase.archive([Path("a.xml"), Path("deep/er/b.xml")])

    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == ["a.xml", "deep/er/b.xml"]
    assert {(member.mtime, member.uid, member.uname) for member in members} == {(0, 0, "")}


def test_what_is_not_xml_goes_as_a_part_of_its_own(folder: Path) -> None:
    (folder / "report.json").write_text("{}" * 500)

    parcel = trophycase.packed([Path("a.xml"), Path("report.json")], {"run": "r1", "branch": "bücher"})

    assert parcel.body.count(b'name="file"') == 2
    assert b'filename="report.json"' in parcel.body
    assert "bücher".encode() in parcel.body


def test_many_or_large_files_are_shared_out(folder: Path) -> None:
    files = [Path("a.xml"), Path("deep/er/b.xml"), Path("other/c.xml")]

    assert [len(batch) for batch in trophycase.batches(files, most_files=2)] == [2, 1]
    assert [len(batch) for batch in trophycase.batches(files, most_bytes=25)] == [2, 1]
    assert [len(batch) for batch in trophycase.batches(files, most_bytes=1)] == [1, 1, 1]


# --- what is kept


def test_a_kept_parcel_goes_only_to_the_server_and_token_it_was_for(tmp_path: Path) -> None:
    shelf = trophycase.Shelf(tmp_path / "kept")
    parcel = trophycase.Parcel({"run": "r1"}, ("a.xml",), "multipart/form-data; boundary=b", b"body\nof it")

    shelf.keep(parcel, mark="mine")

    assert list(shelf.parcels(mark="other")) == []
    ((_, kept),) = shelf.parcels(mark="mine")
    assert (kept.body, kept.names) == (parcel.body, parcel.names)
    assert kept.fields["started_at"]


def test_the_shelf_holds_so_many_and_drops_the_oldest(tmp_path: Path) -> None:
    shelf = trophycase.Shelf(tmp_path)
    for number in range(trophycase.MOST_KEPT + 3):
        shelf.keep(trophycase.Parcel({"run": str(number)}, ("a.xml",), "b", b"body"), mark="mine")

    assert len(list(shelf.parcels(mark="mine"))) == trophycase.MOST_KEPT
