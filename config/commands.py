"""How each process of a server is called: said once for `make run`, the tests and docker-compose.yml.

Each is a module of the virtual environment with its arguments; callers add addresses and files of their own.
"""

from __future__ import annotations

# Threads, not processes alone: a page waits for PostgreSQL, and a slow upload must not hold up the pages.
WEB = [
    *["gunicorn", "config.wsgi:application"],
    *["--worker-class", "gthread", "--workers", "2", "--threads", "4"],
    # Loaded once and then forked: half the memory, and half the time to the first page.
    *["--preload", "--no-control-socket", "--access-logfile", "-"],
]
# One worker needs no news from others; `auto` is one process a core, as the control group counts them.
WORKER = [
    *["celery", "-A", "config.celery", "worker", "--concurrency", "auto", "-O", "fair", "--loglevel", "INFO"],
    *["--without-gossip", "--without-mingle", "--without-heartbeat"],
]
BEAT = ["celery", "-A", "config.celery", "beat", "--loglevel", "INFO", "--pidfile", ""]

MIGRATE = ["manage.py", "migrate", "--no-input"]
COLLECTSTATIC = ["manage.py", "collectstatic", "--no-input"]


def demo(*, url: str, username: str, password: str) -> list[str]:
    """Return the command that sends the demo's history; a password may begin with a dash."""
    return ["manage.py", "demo", f"--base-url={url}", f"--username={username}", f"--password={password}"]
