"""Gives each request one stretch of memory for its calls.

CPython keeps the frames of running functions in stretches of 16 kB, takes a stretch from the system when a call does not fit
into the one before, and gives it back when that call returns. A template calls itself through many levels, so a loop in it may
lie on such an edge: then each of its calls asks the system for memory, and a page takes three times as long, or not, by how
deep its server happens to call it. A frame that says it needs much makes CPython take one stretch that has room for all below.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

GetResponse = Callable[[HttpRequest], HttpResponseBase]

# Words of eight bytes that the frame asks for and never touches. The stretch is the next power of two, half a megabyte, of
# which as much is left for the calls: a thousand frames, which is as deep as Python goes.
ROOM = 33_000


def keep_together(get_response: GetResponse) -> GetResponse:
    """Return a middleware below which all calls lie in one stretch of memory."""

    def answered(request: HttpRequest) -> HttpResponseBase:
        return get_response(request)

    answered.__code__ = answered.__code__.replace(co_stacksize=ROOM)
    return answered
