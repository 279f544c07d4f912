"""Properties: tried on a few composed cases in the fast run, on many in `make test`."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy

Test = Callable[..., None]


def property_of(*cases: SearchStrategy[Any], few: int, many: int) -> Callable[[Test], Test]:
    """The test holds for `few` cases in the fast run and, under the mark `e2e`, for `many`.

    `CDP_EXAMPLES` says by hand how many are few. The cases are the test's last arguments, fixtures its first.
    """
    sizes = [
        pytest.param(int(os.environ.get("CDP_EXAMPLES", few)), id="few"),
        pytest.param(many, id="many", marks=pytest.mark.e2e),
    ]

    def decorate(test: Test) -> Test:
        asked_for = list(inspect.signature(test).parameters.values())
        fixtures, drawn = asked_for[: -len(cases)], asked_for[-len(cases) :]
        named = {parameter.name: case for parameter, case in zip(drawn, cases, strict=True)}

        @wraps(test, updated=())  # what `example` leaves on the test is for the test within
        def tried(examples: int, **found: Any) -> None:
            settings(max_examples=examples)(given(**named)(test))(**found)

        size = inspect.Parameter("examples", inspect.Parameter.KEYWORD_ONLY)
        tried.__signature__ = inspect.Signature([*fixtures, size])  # type: ignore[attr-defined]  # pytest reads it
        return pytest.mark.parametrize("examples", sizes)(tried)

    return decorate
