"""CI jobs that call the uploader: the real script, in a folder of their own, with nothing else in its environment."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from projects.models import Upload
from projects.vocabulary import UploadState
from tests.factories import failed, passed, report
from tests.waiting import wait_until
from uploader import trophycase

SCRIPT = Path(trophycase.__file__).resolve()
GOOD = report(passed("adds"), passed("removes"), failed("empties"))
ENDED = (UploadState.DONE, UploadState.REJECTED, UploadState.FAILED)


@dataclass
class Job:
    """A CI job: its folder, its variables, and how it calls the uploader."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    python: str = sys.executable

    def write(self, name: str, body: bytes = GOOD) -> None:
        """Write a report as a test runner would."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def call(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run the uploader with nothing else in its environment."""
        return subprocess.run(
            [self.python, "-E", "-W", "error", str(SCRIPT), *words],
            cwd=self.folder,
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=100,
            check=False,
        )


def the_upload() -> Upload:
    """Return the only upload, once the worker is done with it."""
    wait_until(lambda: Upload.objects.filter(state__in=ENDED).exists(), what="the upload to be worked off")
    return Upload.objects.get()


def a_command_that_writes(body: bytes, *, exit_code: int) -> list[str]:
    """Return a test command that writes this report and ends so."""
    code = f"open('report.xml', 'wb').write({body!r}); raise SystemExit({exit_code})"
    return [sys.executable, "-c", code]
