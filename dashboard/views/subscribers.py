"""The settings of letters by owner: the owners of the project's tests, who reads about each, and addresses without an account.

What is kept is projects.subscribing's affair, whose tests are whose that of analysis.queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from analysis import queries
from analysis.answers.of_tests import OwnedTests
from dashboard import beside, listing, page
from dashboard.export import Column
from dashboard.listing import Order
from dashboard.page import ProjectRequest
from dashboard.reader_forms import ReaderForm, WishForm
from dashboard.views.settings import refused, said, show
from projects import changes, subscribing
from projects.models import LetterAddress, Membership, OwnerReader
from projects.owner_names import key_of
from projects.vocabulary import Role

HERE = "settings-readers"
MOST_OWNERS = 200  # a list that people read; those with the most tests come first


@require_http_methods(["GET", "HEAD", "POST"])
@page.project_page()
def readers(request: ProjectRequest) -> HttpResponseBase:
    """List the owners with who reads about them; add a reader."""
    form = ReaderForm(request.POST or None)
    if request.method == "POST":
        if not request.access.may_edit:
            return refused(request, Role.EDITOR)
        if form.is_valid():
            return _add(request, form)
    members = list(changes.members(request.project))
    rows = listing.ordered(_owners(request, members), request.window.sort, ORDER)
    addresses = list(subscribing.addresses(request.project))
    if file := _file(request, rows, addresses):
        return file
    context = {
        "form": form,
        "members": [member.user.email for member in members if member.user.email],
        "owners": rows[:MOST_OWNERS],
        "n_owners": len(rows),
        "n_unread": sum(not (row["readers"] or row["by_address"]) for row in rows),
        "addresses": [_address(row) for row in addresses],
    }
    return show(request, HERE, context, status=422 if form.errors else 200)


ORDER: Order[dict[str, Any]] = Order(
    {
        "name": lambda row: row["owned"].owner.lower(),
        "tests": lambda row: row["owned"].n_tests,
        "unwell": lambda row: row["owned"].n_unwell,
    }
)
OWNERS: list[Column[dict[str, Any]]] = [
    Column("owner", lambda row: row["owned"].owner),
    Column("tests", lambda row: row["owned"].n_tests),
    Column("flaky_or_broken", lambda row: row["owned"].n_unwell),
    Column("readers", lambda row: " ".join(_readers(row))),
]
ADDRESSES: list[Column[LetterAddress]] = [
    Column("address", lambda row: row.address),
    Column("wants_letter", lambda row: row.wants_letter),
    Column("only_changes", lambda row: row.only_changes),
    Column("only_own", lambda row: row.only_own),
    Column("owners", lambda row: " ".join(one.owner for one in row.owners.all())),
    Column("refused", lambda row: row.refused),
]


def _readers(row: dict[str, Any]) -> list[str]:
    """Return the addresses to which tests of an owner are told."""
    by_address = [row["by_address"].user.email] if row["by_address"] else []
    return by_address + [
        reader.membership.user.email if reader.membership else reader.address.address
        for reader in row["readers"]
    ]


def _file(
    request: ProjectRequest, owners: Sequence[dict[str, Any]], addresses: Sequence[LetterAddress]
) -> HttpResponseBase | None:
    """Answer with the owners, or with the addresses, where the URL asks for a file."""
    return beside.asked(request, "letters by owner", OWNERS, owners) or beside.asked(
        request, "letter addresses", ADDRESSES, addresses, part="addresses"
    )


def _owners(request: ProjectRequest, members: list[Membership]) -> list[dict[str, Any]]:
    """Return the owners, those without a reader first, then those with the most tests."""
    read: dict[str, list[OwnerReader]] = {}
    for row in subscribing.readers(request.project):
        read.setdefault(row.owner, []).append(row)
    owned = {key_of(one.owner): one for one in queries.owned_tests(request.project, request.window)}
    gone = {owner: OwnedTests(owner, 0, 0) for owner in sorted(read.keys() - owned.keys())}
    by_email = {key_of(member.user.email): member for member in members if member.user.email}
    rows = [
        {
            "owned": one,
            "readers": read.get(key, []),
            "by_address": by_email.get(key),
            "suggested": one.owner if _is_email(one.owner) else "",
        }
        for key, one in (owned | gone).items()
    ]
    return sorted(rows, key=lambda row: bool(row["readers"] or row["by_address"]))


def _is_email(owner: str) -> bool:
    return "@" in owner[1:]


def _address(row: LetterAddress) -> dict[str, Any]:
    often = "off" if not row.wants_letter else "changes" if row.only_changes else "weekly"
    initial = {"often": often, "what": "only" if row.only_own else "first"}
    return {"row": row, "form": WishForm(initial=initial, auto_id=f"address{row.pk}-%s")}


def _add(request: ProjectRequest, form: ReaderForm) -> HttpResponse:
    owner, email = form.cleaned_data["owner"], form.cleaned_data["email"]
    try:
        subscribing.add_reader(request.project, owner, email=email)
    except subscribing.TooManyReaders as refusal:
        messages.error(request, str(refusal))
        return redirect(HERE, request.project.slug)
    return said(request, HERE, f"The letter tells {email} of the tests of {owner}.")


@require_POST
@page.project_page(needs=Role.EDITOR)
def remove(request: ProjectRequest, reader_id: int) -> HttpResponseBase:
    """Take a reader from an owner."""
    row = subscribing.remove_reader(request.project, reader_id)
    if row is None:
        raise Http404("No such reader.")
    whom = row.membership.user if row.membership else row.address
    return said(request, HERE, f"{whom} reads no longer about {row.owner}.")


@require_POST
@page.project_page(needs=Role.EDITOR)
def address(request: ProjectRequest, address_id: int) -> HttpResponseBase:
    """Keep which letters an address without an account gets."""
    form = WishForm(request.POST)
    if not form.is_valid():
        raise Http404("No such choice.")
    row = subscribing.set_wish(request.project, address_id, form.wish())
    if row is None:
        raise Http404("No such address.")
    return said(request, HERE, f"The letters to {row.address} are saved.")
