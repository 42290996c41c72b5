"""What makes a test the same test in the next run: names without their volatile parts, hashed.

The identity is the chain of suite names, the class name and the name. What changes from run to run is
masked: timestamps, process ids, host names, roots of checkouts, temporary folders, xdist workers, shards,
ports, memory addresses and uuids. Merging two tests that differ only there is the smaller harm: a name that
is new in every run would have no history at all. The variant (environment, browser) enters the fingerprint
and not the base. Knows no XML; ingest.producers tells which names of a producer carry no identity.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b

Hash = blake2b

SEPARATOR = "\x1f"  # cannot occur in XML 1.0, so no name can forge a border
DIGEST_BYTES = 16

# What the masks replace holds a long number, an address, a worker, a uuid, a pid or a path. Starting every
# alternative at one class of characters lets the search skip the rest of a name: nine of ten names end here.
RISK = re.compile(
    r"[0-9/\\](?:(?<=[/\\])|[0-9]{3}[0-9-]|(?<=0)[xX][0-9a-fA-F]{8}|(?<=gw[0-9])|"
    r"(?<=-[1-8])[0-9a-fA-F]{3}-[89abAB]|(?<=[iI][dD][0-9])|(?<=[iI][dD][^A-Za-z0-9][0-9]))"
)
HINT = re.compile(
    r"0x[0-9a-fA-F]{8}|\d{4}-\d\d-\d\d[T_ ]|\d{8}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-|gw\d|:\d{5}|"
    r"[pP][iI][dD]\W?\d|"
    r"(?i:/(?:tmp|private|var|home|users|builds|__w|root|workspaces?|github|opt|bitrise|codebuild|drone|buildkite|"
    r"usr|mnt|srv)/|[a-z]:[\\/]|file://)"
)
MASKS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (
        # Version and variant must be those of a made-up one: 00000000-aaaa-... is somebody's constant.
        re.compile(
            r"(?i)(?<![0-9a-z])[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}(?![0-9a-z])"
        ),
        "<uuid>",
    ),
    (
        re.compile(
            r"\d{4}-\d\d-\d\d[T_ ]\d\d[:.-]?\d\d(?:[:.-]?\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?(?![\d])"
        ),
        "<time>",
    ),
    (re.compile(r"(?<!\d)20\d{6}[T_-]?\d{6}(?:[.,]?\d{3,6})?Z?(?!\d)"), "<time>"),
    (re.compile(r"(?<![\d.])1[4-9]\d{8}(?:\d{3})?(?:\.\d+)?(?!\d)"), "<time>"),
    (re.compile(r"\b0[xX][0-9a-fA-F]{8,16}\b"), "<address>"),
    (re.compile(r"(?<![A-Za-z0-9_])gw\d+(?![A-Za-z0-9_])"), "<worker>"),
    (re.compile(r"(?i)(?<![a-z])(pid\W?)\d+"), r"\1<n>"),
    (
        re.compile(r"(?i)((?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\]):)(?:3[2-9]|[4-6]\d)\d{3}(?!\d)"),
        r"\1<port>",
    ),
)
SHARD = re.compile(
    r"(?i)[\s_.,:;(\[-]*\b(?:shard|chunk|worker|fork|executor|parallel|partition)[\s_#:=-]*\d+"
    r"(?:\s*(?:/|of|-of-)\s*\d+)?[)\]]?"
)
TEMPORARY = re.compile(
    r"(?:(?:/private)?/var/folders/[^/\s]+/[^/\s]+/T|(?:/private)?(?:/var|/usr)?/tmp|/home/[^/\s]+/tmp|"
    r"[A-Za-z]:[\\/]Users[\\/][^\\/]+[\\/]AppData[\\/]Local[\\/]Temp)[\\/](?P<rest>[^\s\])},;'\"]*)"
)
# Where CI services check a project out. What follows is the path inside the project.
CHECKOUT = re.compile(
    r"(?:/home/runner/work/[^/\s]+/[^/\s]+|/__w/[^/\s]+/[^/\s]+|/home/vsts/work/\d+/[sab]|/github/workspace|"
    r"/builds/[^/\s]+/[^/\s]+|/var/(?:lib/)?jenkins(?:_home)?/workspace/[^/\s]+|"
    r"/home/jenkins/(?:agent/)?workspace/[^/\s]+|/root/project|/home/circleci/[^/\s]+|/bitrise/src|"
    r"/codebuild/output/[^/\s]+/src/[^/\s]+/[^/\s]+/[^/\s]+|/opt/atlassian/pipelines/agent/build|"
    r"/(?:var/lib/)?buildkite(?:-agent)?/builds/[^/\s]+/[^/\s]+/[^/\s]+|/drone/src|/usr/src/app|/workspaces/[^/\s]+|"
    r"/workspace|[A-Za-z]:[\\/]a[\\/][^\\/\s]+[\\/][^\\/\s]+|[A-Za-z]:[\\/](?:agent[\\/])?_work[\\/]\d+[\\/]s|"
    r"/Users/runner/work/[^/\s]+/[^/\s]+)[\\/]"
)
ABSOLUTE = re.compile(
    r"(?:file://)?(?:/(?:home|Users|tmp|private|var|builds|__w|root|workspaces?|opt|usr|mnt|srv)/|[A-Za-z]:[\\/])\S*"
)
DRIVE_OR_HOME = re.compile(r"^(?:[A-Za-z]:)?/(?:(?:home|Users)/[^/]+/|root/)?")
# The first folder of this name is taken as the start of the path inside a project whose root is unknown.
PROJECT_FOLDERS = frozenset(
    {"src", "lib", "packages", "test", "tests", "__tests__", "spec", "specs", "unit", "integration"}
    | {"acceptance", "e2e", "cypress", "features"}
)
RETRY = re.compile(
    r"(?i)\s*[(\[]\s*(?:(?P<again>retry|retries|rerun|re-run)|attempt|try|run)\s*#?:?\s*(?P<n>\d{1,3})"
    r"(?:\s*(?:/|of)\s*\d+)?\s*[)\]]\s*$"
)


def is_volatile(text: str) -> bool:
    """True if a text may hold anything that the masks replace."""
    return RISK.search(text) is not None and HINT.search(text) is not None


def masked(text: str, *, host: str = "") -> str:
    """Return `text` with its volatile parts replaced by what they are."""
    if host and host in text:
        text = re.sub(rf"(?<![\w-]){re.escape(host)}(?![\w-])", "<host>", text)
    if not is_volatile(text):
        return text
    if ABSOLUTE.fullmatch(text) and TEMPORARY.match(text) is None:
        text = relative(text)
    text = CHECKOUT.sub("", text)
    text = TEMPORARY.sub(_temporary, text)
    for pattern, mask in MASKS:
        text = pattern.sub(mask, text)
    return text


def masked_suite(text: str, *, host: str = "") -> str:
    """Return a suite's name without its volatile parts; here a shard's number is one too."""
    return SHARD.sub("", masked(text, host=host)).strip()


def _temporary(match: re.Match[str]) -> str:
    # Only the last part of a deeper path is chosen by the test; what lies between is made up for the run.
    parts = [part for part in re.split(r"[\\/]", match["rest"]) if part]
    return f"<tmp>/{parts[-1]}" if len(parts) > 1 else "<tmp>"


def is_host(text: str) -> bool:
    """True for a host name odd enough to be masked wherever it stands: `ci-7`, not `vm`."""
    return len(text) > 5 and any(character in "-.0123456789" for character in text)


@lru_cache(maxsize=4_000)
def relative(path: str) -> str:
    """Return a file's path inside its project, as well as it can be told without knowing the root."""
    path = path.removeprefix("file://").replace("\\", "/")
    if not path.startswith("/") and path[1:3] != ":/":
        return path.removeprefix("./")
    if checkout := CHECKOUT.match(path):
        return path[checkout.end() :]
    parts = DRIVE_OR_HOME.sub("", path).split("/")
    for position, part in enumerate(parts[:-1]):
        if part in PROJECT_FOLDERS:
            return "/".join(parts[position:])
    return "/".join(parts[-2:])


def without_retry(name: str) -> tuple[str, int]:
    """Return a name without a suffix such as `(retry #1)`, and the number of the attempt, else 0."""
    if not name.endswith((")", "]")):
        return name, 0
    opened = max(name.rfind("("), name.rfind("["))
    if opened < 1 or name[opened + 1 : opened + 2].lower() not in "rat":
        return name, 0
    if (found := RETRY.search(name, opened - 1)) is None:
        return name, 0
    return name[: found.start()].rstrip(), int(found["n"]) + (1 if found["again"] else 0)


def prefix(*parts: str) -> bytes:
    """Return the part of an identity that many tests share, ready to be completed by `digest`."""
    return (SEPARATOR.join(parts) + SEPARATOR).encode("utf-8", "surrogatepass")


def begun(start: bytes) -> Hash:
    """Return the hash of the part that many tests share, to be copied for each of them by `finished`."""
    return blake2b(start, digest_size=DIGEST_BYTES)


def more(start: Hash, part: str) -> Hash:
    """Return the hash with a further part of `prefix`."""
    longer = start.copy()
    longer.update(prefix(part))
    return longer


def finished(start: Hash, rest: str) -> bytes:
    """Return the 16 bytes of an identity that begins like this."""
    one = start.copy()
    one.update(rest.encode("utf-8", "surrogatepass"))
    return one.digest()


def digest(start: bytes, name: str) -> bytes:
    """Return the 16 bytes of an identity."""
    return finished(begun(start), name)


def with_variant(base: bytes, variant: str) -> bytes:
    """Return the fingerprint: the base itself where there is no variant."""
    return blake2b(base + variant.encode(), digest_size=DIGEST_BYTES).digest() if variant else base
