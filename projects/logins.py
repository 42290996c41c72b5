"""How often a password may be tried: counts wrong ones by address and by account, and says how long to wait.

A guesser is slowed down, a person is not locked out. An address waits until its wrong tries are old. Strangers who try one
account make it wait for one minute at a time, and only for browsers from which nobody ever logged in to it; those count on
their own. Addresses and names are kept as digests, and for no longer than they count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils.crypto import salted_hmac

from projects.models import WrongLogin

COUNTED = timedelta(minutes=15)  # a wrong try is forgotten after that
PER_ADDRESS = 30  # an office behind one address has many people and some typos
PER_ACCOUNT = 10  # more than a person who tries all passwords of theirs
PAUSE = timedelta(
    minutes=1
)  # between two tries of strangers: 1,440 a day guess no password that is not common
IPV6_PREFIX = 64  # what one customer has


@dataclass(frozen=True, slots=True)
class Knock:
    """Somebody who wants in: from which address, to which account, and whether from a browser that was let in before."""

    address: bytes
    account: bytes
    is_known_browser: bool = False


def account_named(typed: str) -> str:
    """Return the name of the account that is meant: of an e-mail address that one person has, that person's."""
    named = list(User.objects.filter(email__iexact=typed).values_list("username", flat=True)[:2])
    return named[0] if "@" in typed and len(named) == 1 else typed


def knock(*, address: str, typed: str, is_known_browser: bool = False) -> Knock:
    """Return who knocks, as it is kept."""
    account = account_named(typed).strip().lower()
    return Knock(_digest("address", _place_of(address)), _digest("account", account), is_known_browser)


def _digest(what: str, text: str) -> bytes:
    return salted_hmac(f"trophycase.login.{what}", text, algorithm="sha256").digest()[:16]


def _place_of(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((found, IPV6_PREFIX), strict=False)) if found.version == 6 else str(found)


def wait(knock: Knock, *, now: datetime) -> timedelta:
    """Return how long the next try has to wait; nothing as a rule."""
    since = now - COUNTED
    from_address = _times(WrongLogin.objects.filter(address=knock.address, at__gt=since), PER_ADDRESS)
    to_account = WrongLogin.objects.filter(account=knock.account, at__gt=since)
    if knock.is_known_browser:
        to_account = to_account.filter(address=knock.address, is_known_browser=True)
    at_account = _times(to_account, PER_ACCOUNT)
    waits = [timedelta()]
    if len(from_address) == PER_ADDRESS:
        waits.append(from_address[-1] + COUNTED - now)
    if len(at_account) == PER_ACCOUNT:
        waits.append(at_account[0] + PAUSE - now)
    return max(waits)


def _times(found: QuerySet[WrongLogin], most: int) -> Sequence[datetime]:
    """Return when the last wrong tries were, the newest first, as many as are needed to decide."""
    return list(found.order_by("-at", "-id").values_list("at", flat=True)[:most])


def note_wrong(knock: Knock, *, now: datetime) -> None:
    """Count a wrong try, and forget those that are too old to count."""
    WrongLogin.objects.filter(at__lte=now - COUNTED).delete()
    WrongLogin.objects.create(
        at=now,
        address=knock.address,
        account=knock.account,
        is_known_browser=knock.is_known_browser,
    )


def forgive(knock: Knock) -> None:
    """Forget the wrong tries of somebody who got in: their own typos, not those of others."""
    WrongLogin.objects.filter(address=knock.address, account=knock.account).delete()
