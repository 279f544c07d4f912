"""Small modules, small functions, everything typed and said in words."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.laws.code import ROOT, Function, Module, at, functions, lines_of, module, modules, report

MODULE_LINES = 400
FUNCTION_LINES = 60
LONG_FUNCTION = 50
LONG_SHARE = 0.02
P90_LINES = 30
PARAMETERS = 6
COMMANDS = ("pipelines.cli",)
"""A command's options are its parameters, however many it has."""

PLACEHOLDERS = ("todo", "fixme", "tbd", "<description>", "xxx")
VAGUE_MODULES = ("utils", "util", "helpers", "misc")


def too_long(source: Module) -> list[str]:
    found = []
    count = source.text.count("\n")
    if count > MODULE_LINES:
        found.append(f"{source.name} has {count} lines; at most {MODULE_LINES}")
    for name, function in functions(source):
        if lines_of(function) > FUNCTION_LINES:
            found.append(f"{at(source, function)} {name} has {lines_of(function)} lines; at most {FUNCTION_LINES}")
    return found


def parameters(function: Function) -> list[ast.arg]:
    spec = function.args
    named = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]
    return [arg for arg in named if arg.arg not in ("self", "cls")]


def loosely_typed(source: Module) -> list[str]:
    found = []
    for name, function in functions(source):
        spec = function.args
        stars = [arg for arg in (spec.vararg, spec.kwarg) if arg is not None]
        untyped = [arg.arg for arg in (*parameters(function), *stars) if arg.annotation is None]
        if untyped:
            found.append(f"{at(source, function)} {name}: no type for {', '.join(untyped)}")
        if function.returns is None:
            found.append(f"{at(source, function)} {name}: no type for the result")
        if len(parameters(function)) > PARAMETERS and not source.inside(*COMMANDS):
            found.append(
                f"{at(source, function)} {name} takes {len(parameters(function))} parameters; at most {PARAMETERS}"
            )
    return found


def public_things(source: Module) -> Iterator[tuple[str, ast.AST, str | None]]:
    yield source.name, source.tree, ast.get_docstring(source.tree)
    for name, function in functions(source):
        if not any(part.startswith("_") for part in name.split(".")):
            yield name, function, ast.get_docstring(function)
    for node in source.tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, node, ast.get_docstring(node)


def unsaid(source: Module) -> list[str]:
    found = []
    for name, node, words in public_things(source):
        if not words or not words.strip():
            found.append(f"{at(source, node)} {name} says nothing about itself")
    return found


def placeholders(source: Module) -> list[str]:
    found = []
    for number, line in enumerate(source.text.splitlines(), start=1):
        words = line.lower().replace("#", " ").replace(":", " ").replace("(", " ").split()
        found += [f"{source.name}:{number} holds the placeholder {mark}" for mark in PLACEHOLDERS if mark in words]
    return found


def test_no_module_and_no_function_is_too_long() -> None:
    report([wrong for source in modules() for wrong in too_long(source)])


def test_few_functions_are_long() -> None:
    spans = sorted(lines_of(function) for source in modules() for _, function in functions(source))
    long = sum(span > LONG_FUNCTION for span in spans)
    assert long <= LONG_SHARE * len(spans), f"{long} of {len(spans)} functions are longer than {LONG_FUNCTION} lines"
    assert spans[int(0.9 * len(spans))] <= P90_LINES


def test_every_argument_and_result_is_typed() -> None:
    report([wrong for source in modules() for wrong in loosely_typed(source)])


def test_everything_public_says_what_it_is() -> None:
    report([wrong for source in modules() for wrong in unsaid(source)])


def test_no_docstring_is_a_copy_of_another_in_its_module() -> None:
    copies = []
    for source in modules():
        seen: dict[str, str] = {}
        for name, _, words in public_things(source):
            if words and len(words) > 60 and seen.setdefault(words, name) != name:
                copies.append(f"{source.name}: {name} repeats the words of {seen[words]}")
    assert copies == []


def test_nothing_is_left_to_be_done_in_a_comment() -> None:
    report([wrong for source in modules() for wrong in placeholders(source)])


def test_every_module_is_named_for_what_it_does() -> None:
    assert [source.name for source in modules() if source.name.rpartition(".")[2] in VAGUE_MODULES] == []


def test_each_typed_package_has_code() -> None:
    assert {source.package for source in modules()} == {"identity", "features", "pipelines", "serving"}
    assert (ROOT / "pyproject.toml").is_file()


@pytest.mark.parametrize(
    ("law", "text"),
    [
        (too_long, "def f() -> None:\n" + "    pass\n" * FUNCTION_LINES),
        (too_long, "x = 1\n" * (MODULE_LINES + 1)),
        (loosely_typed, "def f(a) -> None: ..."),
        (loosely_typed, "class A:\n    def f(self, *rest) -> None: ..."),
        (loosely_typed, "def f(a: int): ..."),
        (loosely_typed, "def f(a: int, b: int, c: int, d: int, e: int, f: int, g: int) -> None: ..."),
        (unsaid, '"""A module."""\n\n\ndef f() -> None: ...'),
        (unsaid, '"""A module."""\n\n\nclass A: ...'),
        (unsaid, "x = 1"),
        (placeholders, "x = 1  # TODO: later"),
    ],
)
def test_a_planted_fault_of_shape_is_found(law: object, text: str) -> None:
    assert callable(law)
    assert len(law(module("pipelines.x", text))) == 1
