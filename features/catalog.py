"""All declared features and tags: the explicit list from which the engine, the tables and the documents work."""

from __future__ import annotations

import hashlib

from features import behaviour, consents, orders, relations
from features.parameters import SHIPPED, Parameters
from features.spec import Catalog, DeclarationError, Tag
from features.tags import TAG_THEMES

CATALOG = Catalog(themes=(relations.THEME, orders.THEME, behaviour.THEME, consents.THEME))
"""All features."""


FACTS = 3
"""Counts the ways in which facts were made from silver rows: a lake made in another way computes all people once."""


def declared_tags(parameters: Parameters = SHIPPED) -> tuple[Tag, ...]:
    """All tags under the given thresholds, in declared order; a name declared twice fails."""
    tags = tuple(tag for theme in TAG_THEMES for tag in theme(parameters))
    names = [tag.name for tag in tags]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DeclarationError(f"tag {twice[0]!r} is declared twice")
    return tags


def definition(parameters: Parameters = SHIPPED) -> str:
    """Sixteen hex characters that change when a declaration of a feature or tag, a threshold or the facts change."""
    text = repr((FACTS, CATALOG, declared_tags(parameters), parameters))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
