"""The beta distribution, as far as failure rates need it: tails, quantiles, and the chance of a quiet spell.

Plain floating point, so that the verdicts need no numerical library; tests hold it to exact sums.
"""

from __future__ import annotations

from math import exp, lgamma, log

TINY = 1e-300
PRECISION = 1e-12
MOST_STEPS = 60  # some six are taken, and halving alone would be done by then
CLOSE = 1e-8  # seven digits of a rate
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
    """Return the x with P(p <= x) = q: Newton's steps on a logarithmic scale, since rates are small, kept between bounds."""
    low, high = log(1e-12), 0.0
    at, scale = log(a / (a + b)), ln_beta(a, b)
    for _ in range(MOST_STEPS):
        x = exp(at)
        error = beta_cdf(x, a=a, b=b) - q
        low, high = (at, high) if error < 0.0 else (low, at)
        slope = exp(a * at + (b - 1.0) * log(1.0 - x or PRECISION) - scale)
        after = at - error / _away_from_zero(slope)
        if not low < after < high:
            after = (low + high) / 2
        if abs(after - at) < CLOSE:
            return exp(after)
        at = after
    return exp(at)


def quiet_chance(n: int, *, a: float, b: float) -> float:
    """Return the chance of n passes in a row for a rate p ~ Beta(a, b)."""
    return exp(ln_beta(a, b + n) - ln_beta(a, b))


def streak_chance(n: int, *, a: float, b: float) -> float:
    """Return the chance of n failures in a row for a rate p ~ Beta(a, b)."""
    return exp(ln_beta(a + n, b) - ln_beta(a, b))


def passes_needed(*, a: float, b: float, chance: float = 0.05, most: int = 100_000) -> int:
    """Return the fewest passes in a row that leave an unfixed test at most this chance; at most `most`."""
    if quiet_chance(most, a=a, b=b) > chance:
        return most
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        if quiet_chance(middle, a=a, b=b) > chance:
            low = middle
        else:
            high = middle
    return high


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function (Lentz's method)."""
    c, d = 1.0, _away_from_zero(1.0 - (a + b) * x / (a + 1.0))
    d = 1.0 / d
    result = d
    for m in range(1, STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for term in (even, odd):
            d = 1.0 / _away_from_zero(1.0 + term * d)
            c = _away_from_zero(1.0 + term / c)
            result *= c * d
        if abs(c * d - 1.0) < PRECISION:
            break
    return result


def _away_from_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY
