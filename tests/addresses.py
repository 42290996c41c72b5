"""Another database of the same PostgreSQL or Redis: each worker of the tests has its own."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit


def database_named(url: str, *, name: str) -> str:
    """Return the same server's URL with another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def redis_numbered(url: str, *, number: int) -> str:
    """Return the same Redis server's URL with another of its numbered databases."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        query = dict(parse_qsl(parts.query)) | {"db": str(number)}
        # A path alone would be joined as unix:/path, which redis-py does not take.
        return f"unix://{parts.path}?{urlencode(query)}"
    return urlunsplit(parts._replace(path=f"/{number}"))
