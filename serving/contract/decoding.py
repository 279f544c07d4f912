"""Objects that platforms send as they are or as their text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson


def object_of(value: object) -> Mapping[str, Any]:
    """The object, sent as itself or as its JSON text; empty for anything else, which whoever reads the record refuses.

    >>> object_of({"p_id": 1}), object_of('{"p_id":1}'), object_of("[1]"), object_of("broken"), object_of(None)
    ({'p_id': 1}, {'p_id': 1}, {}, {}, {})
    """
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return {}
    return value if isinstance(value, Mapping) else {}
