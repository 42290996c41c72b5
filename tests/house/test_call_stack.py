"""However deep a request is called, its calls cost the same."""

from __future__ import annotations

import resource
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from config.call_stack import keep_together

N_CALLS = 300
DEEPEST = 150  # calls, more than two of the stretches in which Python keeps them


def one(a: int, b: int, c: int, d: int) -> int:
    e, f, g, h = a, b, c, d
    return e + f + g + h


def faults_of_calls(depth: int) -> int:
    """Return how often the system handed out memory while a function this deep called another again and again."""
    if depth:
        return faults_of_calls(depth - 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for number in range(N_CALLS):
        one(number, number, number, number)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def most_faults() -> int:
    return max(faults_of_calls(depth) for depth in range(DEEPEST))


def test_no_call_of_a_request_asks_the_system_for_memory() -> None:
    found: list[int] = []

    def view(_request: HttpRequest) -> HttpResponse:
        found.append(most_faults())
        return HttpResponse()

    answer: Callable[[HttpRequest], object] = keep_together(view)
    answer(HttpRequest())

    assert found[0] < N_CALLS / 2


def test_a_request_gets_the_answer_of_what_is_below() -> None:
    response = HttpResponse("hello")

    assert keep_together(lambda _request: response)(HttpRequest()) is response
