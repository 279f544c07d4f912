"""The mutator plants one fault at a time, the same ones for the same seed, and sees whether tests notice."""

from __future__ import annotations

import ast

import pytest

from bench.mutation import RULES, Mutant, choose, find_mutants, mutate, report, source_of


def faulty(source: str) -> list[tuple[str, str]]:
    """Kind and text of every mutant of a piece of source."""
    return [(one.kind, ast.unparse(mutate(source, one))) for one in find_mutants("m", source)]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("x = a < b", [("comparison turned", "x = a <= b")]),
        ("x = a not in b", [("comparison turned", "x = a in b")]),
        ("x = a + b", [("operator turned", "x = a - b")]),
        ("x = a and b", [("and for or", "x = a or b")]),
        ("x = 3", [("number one greater", "x = 4")]),
        ("x = True", []),
        ("x = min(a)", [("min for max, any for all", "x = max(a)")]),
        ("x = [a for a in b if a]", [("condition negated", "x = [a for a in b if not a]")]),
        ("if a:\n    f()", [("condition negated", "if not a:\n    f()"), ("statement left out", "if a:\n    pass")]),
    ],
)
def test_each_kind_of_fault_is_planted_in_its_place(source: str, found: list[tuple[str, str]]) -> None:
    assert faulty(source) == found


def test_annotations_docstrings_and_what_only_the_type_checker_reads_are_left_alone() -> None:
    assert faulty('"""Doc."""\ndef f(a: int | None) -> int | str: ...\nif TYPE_CHECKING:\n    import x') == []


def test_every_mutant_of_the_rules_differs_from_them() -> None:
    for mutant in choose(12, 3):
        assert mutant.module in RULES.split()
        source = source_of(mutant.module)
        assert ast.dump(mutate(source, mutant)) != ast.dump(ast.parse(source))


def test_the_same_seed_chooses_the_same_mutants_and_another_seed_others() -> None:
    assert choose(30, 1) == choose(30, 1) != choose(30, 2)


def test_the_page_counts_and_lists_the_survivors() -> None:
    results = {Mutant("hubs", 1, 1, "and for or"): "killed", Mutant("hubs", 1, 2, "and for or"): "survived"}
    page = report(results, "--seed 1", 1.5)
    assert "bench.mutation --seed 1`. 2 mutants ran: 1 killed (50.0%)" in page
    assert "| hubs | 2 | 1 | 50% |" in page
    assert page.count("- `hubs.py:1` and for or") == 1
