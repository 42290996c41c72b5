"""The beta distribution, as far as failure rates need it: tails, quantiles, and the chance of a quiet spell.

Plain floating point, so that the verdicts need no numerical library; tests hold it to exact sums.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, exp, lgamma, log, sqrt
from statistics import NormalDist

TINY = 1e-300
PRECISION = 1e-12
MOST_STEPS = 60  # some three are taken
CLOSE = 1e-4  # of the last step: steps square, so that seven digits of a rate stand behind it
LEAST_RATE, MOST_LOGIT = 1e-12, 600.0
STEPS = 400  # the fraction needs about sqrt(max(a, b)) steps; states stay far below 10,000


def ln_beta(a: float, b: float) -> float:
    """Return the logarithm of the beta function."""
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def beta_cdf(x: float, *, a: float, b: float) -> float:
    """Return P(p <= x) for p ~ Beta(a, b), the regularised incomplete beta function."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = exp(a * log(x) + b * log(1.0 - x) - ln_beta(a, b))
    # The fraction converges fast only below the mean; above it the mirrored one does.
    if x < (a + 1.0) / (a + b + 2.0):
        return min(1.0, front * _fraction(x, a, b) / a)
    return max(0.0, 1.0 - front * _fraction(1.0 - x, b, a) / b)


def beta_quantile(q: float, *, a: float, b: float) -> float:
    """Return the x with P(p <= x) = q."""
    if q > 0.5:
        return 1.0 / (1.0 + exp(_lower_logit(1.0 - q, b, a)))
    return 1.0 / (1.0 + exp(-_lower_logit(q, a, b)))


def _lower_logit(q: float, a: float, b: float) -> float:
    """Return log(x / (1 - x)) for the x with P(p <= x) = q, a quantile below the median.

    Newton's steps on the logarithm of the tail, which is concave in the logit and nearly a line: a few from anywhere.
    """
    scale, wanted = ln_beta(a, b), log(q)
    near = min(max(_near_quantile(q, a, b), LEAST_RATE), 1.0 - PRECISION)
    at = log(near) - log(1.0 - near)
    for _ in range(MOST_STEPS):
        x, y = 1.0 / (1.0 + exp(-at)), 1.0 / (1.0 + exp(at))
        ln_front = a * log(x) + b * log(y) - scale
        if x < (a + 1.0) / (a + b + 2.0):
            over_front = _fraction(x, a, b) / a
            ln_below = ln_front + log(over_front)
        else:
            below = max(TINY, 1.0 - exp(ln_front) * _fraction(y, b, a) / b)
            over_front, ln_below = below / exp(max(ln_front, -600.0)), log(below)
        step = (ln_below - wanted) * over_front
        at = min(max(at - step, -MOST_LOGIT), MOST_LOGIT)
        if abs(step) < CLOSE:
            break
    return at


def _near_quantile(q: float, a: float, b: float) -> float:
    """Approximate a quantile: Abramowitz and Stegun 26.5.22, and by the powers of the tails for a or b below 1."""
    if a >= 1.0 and b >= 1.0:
        z = normal_quantile(1.0 - q)
        skew = (z * z - 3.0) / 6.0
        one, other = 1.0 / (2.0 * a - 1.0), 1.0 / (2.0 * b - 1.0)
        h = 2.0 / (one + other)
        w = z * sqrt(max(0.0, h + skew)) / h - (other - one) * (skew + 5.0 / 6.0 - 2.0 / (3.0 * h))
        return a / (a + b * exp(min(2.0 * w, 600.0)))
    below = exp(a * log(a / (a + b))) / a
    above = exp(b * log(b / (a + b))) / b
    if q < below / (below + above):
        return float((a * (below + above) * q) ** (1.0 / a))
    return float(1.0 - (b * (below + above) * (1.0 - q)) ** (1.0 / b))


@lru_cache(maxsize=32)
def normal_quantile(q: float) -> float:
    """Return the quantile of the standard normal distribution; few are ever asked for."""
    return NormalDist().inv_cdf(q)


def quiet_chance(n: int, *, a: float, b: float) -> float:
    """Return the chance of n passes in a row for a rate p ~ Beta(a, b)."""
    return exp(ln_beta(a, b + n) - ln_beta(a, b))


def streak_chance(n: int, *, a: float, b: float) -> float:
    """Return the chance of n failures in a row for a rate p ~ Beta(a, b)."""
    return exp(ln_beta(a + n, b) - ln_beta(a, b))


def passes_needed(*, a: float, b: float, chance: float = 0.05, most: int = 100_000) -> int:
    """Return the fewest passes in a row that leave an unfixed test at most this chance; at most `most`.

    The chance falls nearly as a power of b + n, so that a step or two on its logarithm come within a pass of the answer.
    """
    wanted = ln_beta(a, b) + log(chance)
    if ln_beta(a, b + most) > wanted:
        return most
    near = b * (exp(min(-log(chance) / a, 600.0)) - 1.0)
    for _ in range(MOST_STEPS):
        near = min(max(near, 0.0), float(most))
        step = (ln_beta(a, b + near) - wanted) * (b + near + a / 2.0) / a
        near += step
        if abs(step) < 0.5:
            break
    n = min(max(ceil(near), 0), most)
    while n < most and ln_beta(a, b + n) > wanted:
        n += 1
    while n > 0 and ln_beta(a, b + n - 1) <= wanted:
        n -= 1
    return n


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function (Lentz's method)."""
    c, d = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1.0) or TINY)
    result = d
    for m in range(1, STEPS):
        at = a + 2 * m
        even = m * (b - m) * x / ((at - 1.0) * at)
        odd = -(a + m) * (a + b + m) * x / (at * (at + 1.0))
        d = 1.0 / (1.0 + even * d or TINY)
        c = 1.0 + even / c or TINY
        result *= c * d
        d = 1.0 / (1.0 + odd * d or TINY)
        c = 1.0 + odd / c or TINY
        result *= c * d
        if abs(c * d - 1.0) < PRECISION:
            break
    return result
