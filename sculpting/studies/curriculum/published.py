"""What was published of curricula on parities, and the targets of the reduced study."""

from __future__ import annotations

from ..common.success_rates import Count

__all__ = ["BROAD_BY", "BROAD_TARGET", "MINUTES", "NARROW_AT", "NARROW_BITS", "PUBLISHED", "SLOWER"]

# Of 40 seeds, how many had the composite under 0.1 bit within 2e9 samples at the end, at the full size.
PUBLISHED: dict[str, Count] = {"broad": (27, 40), "narrow": (0, 40), "shallow": (19, 40), "shallow-wide": (16, 40)}

BROAD_BY = 6_000_000  # samples by which the broad arm has the composite under 0.1 bit
NARROW_AT, NARROW_BITS = 14_000_000, 0.9  # samples after which the narrow arm is still above so many bits
SLOWER = 2.0  # times the samples that one hidden layer takes
MINUTES = 10.0  # of two cores
BROAD_TARGET: Count = (19, 20)
