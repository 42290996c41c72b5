"""What a failure means: its Signature, the Boundary it broke at, and the likely Cause of a test's failures.

The door to three pure modules; each says in its own docstring what it knows.
"""

from __future__ import annotations

from analysis.boundaries import BoundaryMatch, boundary, is_infrastructure
from analysis.causes import CauseHint, FailureHistory, FailureSeen, cause
from analysis.signatures import SIGNATURE_VERSION, Signature, are_alike, signature

__all__ = [
    "SIGNATURE_VERSION",
    "BoundaryMatch",
    "CauseHint",
    "FailureHistory",
    "FailureSeen",
    "Signature",
    "are_alike",
    "boundary",
    "cause",
    "is_infrastructure",
    "signature",
]
