"""The real worker does what uploads leave to do: judges runs, follows renames, owns tests by the file that came along."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from django.db.models import F
from django.utils import timezone

from projects.models import Rename, Run, Test
from projects.vocabulary import RenameState
from tests.factories import Shop, a_shop, passed, report
from tests.processes import LiveApp
from tests.waiting import wait_until
from uploader import trophycase

SCRIPT = Path(trophycase.__file__).resolve()


def send(shop: Shop, live_app: LiveApp, folder: Path, body: bytes, **fields: str) -> None:
    """Send a report from a repository with a CODEOWNERS file, as CI does, and wait until the run is judged."""
    (folder / "report.xml").write_bytes(body)
    words = [f"--{name.replace('_', '-')}={value}" for name, value in fields.items()]
    environ = {"TROPHYCASE_URL": live_app.url, "TROPHYCASE_TOKEN": shop.token, "PATH": os.environ["PATH"]}
    call = [sys.executable, str(SCRIPT), "upload", "report.xml", "--strict", "--wait", *words]
    subprocess.run(call, cwd=folder, env=environ, check=True, capture_output=True, timeout=100)
    judged = Run.objects.filter(project=shop.project, key=fields["run"], n_judged=F("n_uploads"))
    wait_until(judged.exists, what="the run to be judged")


def test_the_worker_does_what_uploads_leave_to_do(live_app: LiveApp, tmp_path: Path) -> None:
    shop = a_shop()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github" / "CODEOWNERS").write_text("/tests/ @shop/quality\n")
    others = [passed(f"t{n}", classname="", file="tests/test_cart.py") for n in range(4)]
    old = passed("adds a line to the cart", classname="", file="tests/test_cart.py")
    new = passed("adds a line to a cart", classname="", file="tests/test_cart.py")

    for day in range(6):
        started = (timezone.now() - timedelta(days=9 - day)).isoformat()
        body = report(*others, old if day < 5 else new)
        send(shop, live_app, tmp_path, body, run=f"r{day}", branch="main", started_at=started)
    send(shop, live_app, tmp_path, report(*others[:2]), run="part", branch="main")

    wait_until(Rename.objects.filter(state=RenameState.APPLIED).exists, what="the rename to be followed")
    wait_until(lambda: Test.objects.filter(owner="@shop/quality").count() == 5, what="the tests to be owned")
    part = Run.objects.get(project=shop.project, key="part")
    assert part.incomplete_sentence.startswith("3 of the usual 5 tests are missing")
    assert Test.objects.filter(project=shop.project, name="adds a line to a cart", id=5).exists()
