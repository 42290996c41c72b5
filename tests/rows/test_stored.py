"""Bodies are read from the database a slice at a time, whatever is in them."""

from __future__ import annotations

import gzip
import io
import random
import zipfile

import pytest

from ingest import stored
from projects.models import UploadFile
from projects.vocabulary import UploadState
from tests.factories import a_shop, passed, record, report

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("size", [0, 1, 999, 1_000, 1_001, 5_000])
def test_a_body_is_what_was_kept(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "SLICE", 1_000)
    upload = record(a_shop(), report(passed()))
    content = random.Random(size).randbytes(size)
    UploadFile.objects.filter(upload_id=upload.id).update(content=content)

    [(name, encoding, stream)] = stored.files(upload)

    assert (name, encoding) == ("report-1.xml", "")
    assert stream.read() == content


def test_an_archive_is_read_in_slices_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "SLICE", 100)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
        for n in range(20):
            members.writestr(f"{n}.xml", report(passed(f"t{n}")))

    upload = record(a_shop(), archive.getvalue(), gzip.compress(report(passed("last"))))

    assert (upload.state, upload.n_tests) == (UploadState.DONE, 21)
