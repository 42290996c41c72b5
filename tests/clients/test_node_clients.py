"""Clients from Node's registry against a running server, unchanged."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar, NamedTuple
from urllib.parse import urlsplit

import pytest

from projects.vocabulary import Outcome
from tests.clients.sending import COMMIT, GITHUB, RESULTS, Clients, Said, outcomes, recorded, run
from tests.factories import Shop, a_shop
from tests.processes import LiveApp

pytestmark = pytest.mark.timeout(600)  # the first of them installs the clients

JEST = """
module.exports = {
  testEnvironment: "node",
  testLocationInResults: true,
  reporters: ["default", ["COLLECTOR", {}]],
};
"""
SUITE = """
describe("cart", () => {
  test("adds", () => {});
  test("pays", () => { expect(1).toBe(2); });
  test.skip("ships", () => {});
});
"""
# Names under localhost lead to this machine on every system only with a resolver that says so.
LOOKUP = """
const dns = require("dns");
const real = dns.lookup;
dns.lookup = (name, options, done) => {
  if (typeof options === "function") [options, done] = [{}, options];
  if (!name.endsWith(".localhost")) return real(name, options, done);
  const found = { address: "127.0.0.1", family: 4 };
  return options && options.all ? done(null, [found]) : done(null, found.address, found.family);
};
"""


def test_the_buildkite_collector_for_jest_sends_its_results(
    live_app: LiveApp, node_clients: Clients, tmp_path: Path
) -> None:
    shop = a_shop()
    modules = node_clients.folder / "node_modules"
    (tmp_path / "jest.config.js").write_text(
        JEST.replace("COLLECTOR", str(modules / "buildkite-test-collector" / "jest" / "reporter"))
    )
    (tmp_path / "cart.test.js").write_text(SUITE)

    said = run(node_clients, tmp_path, "jest", "--ci", environ=buildkite(shop, live_app))

    assert_its_results_are_there(shop, said=said)


def buildkite(shop: Shop, app: LiveApp) -> dict[str, str]:
    """Return what the collectors read: whose they are, and where to send."""
    return {
        **GITHUB,
        "BUILDKITE_ANALYTICS_TOKEN": shop.token,
        "BUILDKITE_ANALYTICS_BASE_URL": f"{app.url}/v1/uploads",
    }


def assert_its_results_are_there(shop: Shop, *, said: Said) -> None:
    """Hold that the suite's three results came with their build."""
    upload = recorded(shop, said=said)
    assert said.code == 1, said.text  # the suite's own: one test fails
    assert (upload.run_key, upload.branch, upload.commit, upload.attempt) == ("github-99", "topic", COMMIT, 2)
    assert outcomes(shop) == {"adds": Outcome.PASSED, "pays": Outcome.FAILED, "ships": Outcome.SKIPPED}


VITEST = """
import { defineConfig } from "vitest/config";
export default defineConfig({
  test: {
    includeTaskLocation: true,
    reporters: ["default", ["COLLECTOR", {}], ["junit", { outputFile: "vitest.xml", addFileAttribute: true }]],
  },
});
"""
VITEST_SUITE = f"""import {{ describe, expect, test }} from "vitest";{SUITE}"""


def test_the_buildkite_collector_for_vitest_sends_its_results(
    live_app: LiveApp, node_clients: Clients, tmp_path: Path
) -> None:
    shop = a_shop()
    modules = node_clients.folder / "node_modules"
    (tmp_path / "node_modules").symlink_to(modules)
    reporter = modules / "buildkite-test-collector" / "vitest" / "reporter.js"
    (tmp_path / "vitest.config.mjs").write_text(VITEST.replace("COLLECTOR", str(reporter)))
    (tmp_path / "cart.test.mjs").write_text(VITEST_SUITE)

    said = run(node_clients, tmp_path, "vitest", "run", environ=buildkite(shop, live_app))

    assert_its_results_are_there(shop, said=said)


class Forward(BaseHTTPRequestHandler):
    """Hands a request on as a proxy does that ends TLS and streams."""

    target = ""
    paths: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        """Hand a POST on, its body in chunks as it came."""
        self.paths.append(self.path)
        with contextlib.closing(http.client.HTTPConnection(self.target, timeout=30)) as upstream:
            self._hand_on(upstream)

    def _hand_on(self, upstream: http.client.HTTPConnection) -> None:
        is_chunked = "chunked" in self.headers.get("Transfer-Encoding", "")
        body = self._chunks() if is_chunked else self.rfile.read(int(self.headers.get("Content-Length") or 0))
        upstream.request("POST", self.path, body, dict(self.headers), encode_chunked=is_chunked)
        answer = upstream.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.getheader("Content-Type", "text/plain"))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class Site(NamedTuple):
    """A site as datadog-ci wants it: its name, the certificate to trust, and the paths that were asked for."""

    name: str
    certificate: Path
    paths: list[str]


@pytest.fixture
def site(live_app: LiveApp, tmp_path: Path) -> Iterator[Site]:
    """Return a site as datadog-ci wants it, with TLS and two names of its own, and the certificate to trust."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("No openssl on PATH, which makes the certificate for datadog-ci.")
    certificate, key = tmp_path / "site.pem", tmp_path / "site.key"
    names = "subjectAltName=DNS:cireport-intake.localhost,DNS:api.localhost"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", names, "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    paths: list[str] = []
    handler = type("Handler", (Forward,), {"target": urlsplit(live_app.url).netloc, "paths": paths})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Site(f"localhost:{server.server_port}", certificate, paths)
    server.shutdown()
    server.server_close()
    thread.join()


def datadog(shop: Shop, site: Site, folder: Path) -> dict[str, str]:
    """Return what datadog-ci reads: whose it is, where to send, whom to trust, and how to find the site."""
    lookup = folder / "lookup.js"
    lookup.write_text(LOOKUP)
    return {
        **GITHUB,
        "DD_SITE": site.name,
        "DD_API_KEY": shop.token,
        "NODE_EXTRA_CA_CERTS": str(site.certificate),
        "NODE_OPTIONS": f"-r {lookup}",
    }


def test_datadog_ci_uploads_a_report(
    live_app: LiveApp, node_clients: Clients, site: Site, tmp_path: Path
) -> None:
    shop = a_shop()

    said = run(
        node_clients,
        tmp_path,
        *("datadog-ci", "junit", "upload", "--service", "shop", "--tags", "environment:py3.12"),
        *("--skip-git-metadata-upload", "report.xml"),
        environ=datadog(shop, site, tmp_path),
    )

    upload = recorded(shop, said=said)
    assert said.code == 0, said.text
    assert (upload.run_key, upload.branch, upload.commit, upload.attempt) == ("github-99", "topic", COMMIT, 2)
    assert (upload.job, upload.environment) == ("test", "py3.12")
    assert outcomes(shop) == RESULTS


def test_datadog_ci_asks_which_commits_are_known_and_sends_no_history(
    live_app: LiveApp, node_clients: Clients, site: Site, tmp_path: Path
) -> None:
    shop = a_shop()
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (
        ["init", "-q"],
        ["commit", "-q", "--allow-empty", "-m", "first"],
        ["remote", "add", "origin", "https://github.com/o/r.git"],
    ):
        subprocess.run([*git, *words], cwd=tmp_path, check=True)

    said = run(
        node_clients,
        tmp_path,
        *("datadog-ci", "junit", "upload", "--service", "shop", "report.xml"),
        environ=datadog(shop, site, tmp_path),
    )

    recorded(shop, said=said)
    assert said.code == 0, said.text
    assert site.paths.count("/api/v2/cireport") == 1
    assert "/api/v2/git/repository/search_commits" in site.paths
    assert "/api/v2/git/repository/packfile" not in site.paths
