from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["serving.contract", "serving.contract.packing", "serving.segments"])
def test_the_examples_in_the_words_are_true(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert (result.failed, result.attempted > 0) == (0, True)
