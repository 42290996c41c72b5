"""An issuer of ID tokens with keys of its own: what GitHub's or GitLab's is to a CI job, on a free loopback port."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

SHA = "8f14e45fceea167a5a36dedd4bea2543abcdef01"
JOB_SECRET = "of-this-job"
GITHUB: dict[str, Any] = {
    "sub": "repo:acme/shop:ref:refs/heads/main",
    "repository": "acme/shop",
    "repository_owner": "acme",
    "repository_owner_id": "65",
    "ref": "refs/heads/main",
    "ref_type": "branch",
    "sha": SHA,
    "event_name": "push",
    "run_id": "99",
    "run_attempt": "2",
    "head_ref": "",
    "base_ref": "",
}
PULL = {
    "sub": "repo:acme/shop:pull_request",
    "event_name": "pull_request",
    "ref": "refs/pull/7/merge",
    "head_ref": "main",  # of the fork
    "base_ref": "main",
}
GITLAB: dict[str, Any] = {
    "sub": "project_path:acme/web/shop:ref_type:branch:ref:main",
    "project_path": "acme/web/shop",
    "namespace_id": "72",
    "ref": "main",
    "ref_type": "branch",
    "ref_path": "refs/heads/main",
    "ref_protected": "true",
    "pipeline_source": "push",
    "pipeline_id": "574",
    "sha": SHA,
}


@dataclass
class Issuer:
    """A running issuer: its address, its keys by id, what it signs for a job, and which documents were asked for."""

    url: str = ""
    claims: dict[str, Any] = field(default_factory=lambda: dict(GITHUB))
    keys: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    documents: dict[str, bytes] = field(default_factory=dict)

    def renew(self, *names: str) -> None:
        """Throw every key away, and make new ones of these names; one that begins with ec is of that kind."""
        self.keys = {
            name: ec.generate_private_key(ec.SECP256R1())
            if name.startswith("ec")
            else rsa.generate_private_key(65537, 2048)
            for name in names
        }

    def sign(self, audience: str, *, key: str = "rsa-1", algorithm: str = "", **claims: Any) -> str:
        """Return a token for this audience; a claim of None is left out."""
        now = int(time.time())
        told = {"iss": self.url, "aud": audience, "iat": now, "nbf": now, "exp": now + 300, **self.claims}
        told = {name: value for name, value in {**told, **claims}.items() if value is not None}
        kind = algorithm or ("ES256" if key.startswith("ec") else "RS256")
        return jwt.encode(told, self.keys[key], algorithm=kind, headers={"kid": key})

    def key_set(self) -> list[dict[str, Any]]:
        """Return the public halves as a key set has them."""
        found = []
        for name, key in self.keys.items():
            of = ECAlgorithm if name.startswith("ec") else RSAAlgorithm
            found.append({**of.to_jwk(key.public_key(), as_dict=True), "kid": name, "use": "sig"})
        return found


@contextmanager
def an_issuer() -> Iterator[Issuer]:
    """Run the issuer for the time of a test."""
    issuer = Issuer()
    issuer.renew("rsa-1")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            issuer.asked.append(parts.path)
            if parts.path == "/mint":
                self._mint(parse_qs(parts.query)["audience"][0])
            else:
                self._answer(200, issuer.documents.get(parts.path) or self._document(parts.path))

        def _document(self, path: str) -> bytes:
            if path == "/keys":
                return json.dumps({"keys": issuer.key_set()}).encode()
            return json.dumps({"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}).encode()

        def _mint(self, audience: str) -> None:
            if self.headers["Authorization"] != f"bearer {JOB_SECRET}":
                self._answer(403, b"{}")
            else:
                self._answer(200, json.dumps({"value": issuer.sign(audience)}).encode())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
