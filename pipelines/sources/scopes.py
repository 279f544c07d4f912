"""Within what the numbers of a brand's own records count: two brands may number alike."""

from __future__ import annotations

from pipelines.sources.base import Context
from pipelines.sources.refunds import NUMBERED_BY_PLATFORM


def product_scope(platform: str, context: Context) -> str | None:
    """The brand within which the number of a product counts; None where its platform numbers, or no brand is known.

    >>> product_scope("mall", Context("products", "2025-01-01", brand="brandA"))
    'brandA'
    >>> product_scope("tmall", Context("products", "2025-01-01", brand="brandA")) is None
    True
    """
    return None if platform in NUMBERED_BY_PLATFORM else context.brand or None
