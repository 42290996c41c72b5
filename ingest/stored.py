"""The bytes of an upload's files as they are kept, read a slice at a time: a worker never holds a whole body."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from typing import BinaryIO, cast

from projects.cursors import binding_cursor
from projects.models import Upload, UploadFile

SLICE = 2_000_000  # bytes; most files are read in one

READ = """
SELECT substring(content FROM %(start)b::int FOR %(size)b::int) FROM projects_uploadfile
WHERE project_id = %(project_id)b AND upload_id = %(upload_id)b AND position = %(position)b
"""


def files(upload: Upload) -> Iterator[tuple[str, str, BinaryIO]]:
    """Yield name, encoding and bytes of each file of the upload, in the order in which they were sent."""
    rows = UploadFile.objects.filter(project_id=upload.project_id, upload_id=upload.id).order_by("position")
    for position, name, encoding in rows.values_list("position", "name", "encoding"):
        body = Body(upload.project_id, upload.id, position)
        yield name, encoding, cast(BinaryIO, io.BufferedReader(body, 65_536))


class Body(io.RawIOBase):
    """The bytes of one file, fetched as they are read."""

    def __init__(self, project_id: int, upload_id: uuid.UUID, position: int) -> None:
        self._key = {"project_id": project_id, "upload_id": upload_id, "position": position}
        self._start = 1
        self._rest = memoryview(b"")
        self._is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        if not self._rest and not self._is_over:
            self._fetch()
        part, self._rest = self._rest[: len(view)], self._rest[len(view) :]
        view[: len(part)] = part
        return len(part)

    def _fetch(self) -> None:
        values = {**self._key, "start": self._start, "size": SLICE}
        with binding_cursor() as cursor:
            row = cursor.execute(READ, values, binary=True).fetchone()
        found = bytes(row[0]) if row else b""  # retention may have been here
        self._start += len(found)
        self._rest, self._is_over = memoryview(found), len(found) < SLICE
