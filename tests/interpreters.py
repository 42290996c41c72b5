"""Which Pythons this machine has: what CI runs must work on old ones too."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

OLDEST = 8


def oldest() -> str:
    """Return the oldest Python 3 from 3.8 on that is on PATH or in pyenv's folder; else the one that runs the tests."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for minor in range(OLDEST, sys.version_info.minor):
        name = f"python3.{minor}"
        installed = sorted(root.glob(f"versions/3.{minor}.*/bin/{name}"))
        if installed:
            return str(installed[-1])
        if on_path := shutil.which(name):
            return on_path
    return sys.executable
