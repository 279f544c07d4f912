"""Within what the numbers of a brand's own records count: two brands may number alike."""

from __future__ import annotations

from pipelines.sources.base import Context
from pipelines.sources.refunds import NUMBERED_BY_PLATFORM

WITHIN = "within"
"""Names the brand within which an observation's id and what it `retracts` count; no part of its content."""


def product_scope(platform: str, context: Context) -> str | None:
    """The brand within which the number of a product counts; None where its platform numbers, or no brand is known.

    >>> product_scope("mall", Context("products", "2025-01-01", brand="brandA"))
    'brandA'
    >>> product_scope("tmall", Context("products", "2025-01-01", brand="brandA")) is None
    True
    """
    return None if platform in NUMBERED_BY_PLATFORM else context.brand or None


def own_record(brand: str, number: str) -> str:
    """The id of an observation by another system's record, whose number counts within the brand, if one is known; an id
    in this form stays.

    >>> own_record("brandA", "R1"), own_record("brandA", "brandA:R1"), own_record("", "R1")
    ('brandA:R1', 'brandA:R1', 'R1')
    """
    lead = f"{brand}:" if brand else ""
    return number if number.startswith(lead) else f"{lead}{number}"
