"""Says which addresses a server may be sent to: how they are spelt, and whether they lie on the open internet.

Pure: resolves no names. Who connects asks again, about the address that a name stands for at that moment.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Forbidden(Exception):
    """The address leads where posts may not go, or is none."""


def check(url: str) -> SplitResult:
    """Return the parts of an address that may be posted to; raise Forbidden for any other."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Forbidden("This is no web address.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise Forbidden("Send an address that begins with https:// or http://.")
    if parts.username is not None or parts.password is not None:
        raise Forbidden("Leave name and password out of the address.")
    if any(ord(letter) <= 32 or ord(letter) > 126 for letter in url):
        raise Forbidden("Spaces and letters outside ASCII need to be escaped in an address.")
    return parts


def is_public(address: Address) -> bool:
    """True for an address of the open internet, also when it is wrapped in one of the ways to write it as IPv6."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is None and address in NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


def hidden(address: str) -> str:
    """Return an address without what makes it a key: a chat's webhook is as good as a password."""
    if "://" not in address:
        return address
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}/…{address[-4:]}" if len(parts.path) > 1 else address
