"""The product's own source as the structure laws see it: parsed modules and their functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("identity", "features", "pipelines", "serving")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One source file: `name` is its dotted module name."""

    name: str
    text: str
    tree: ast.Module

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the module, walked once for all laws."""
        return tuple(ast.walk(self.tree))

    @property
    def package(self) -> str:
        """The top-level package it belongs to."""
        return self.name.partition(".")[0]

    def inside(self, *homes: str) -> bool:
        """Whether the module is one of these modules or lies inside one of these packages."""
        return any(self.name == home or self.name.startswith(f"{home}.") for home in homes)


def module(name: str, text: str) -> Module:
    """A module of that text, as the laws' own tests plant it."""
    return Module(name, text, ast.parse(text))


@cache
def modules(*packages: str) -> tuple[Module, ...]:
    """All modules of the packages, in path order."""
    found = []
    for package in packages or PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            found.append(module(dotted(path), path.read_text(encoding="utf-8")))
    return tuple(found)


def dotted(path: Path) -> str:
    """The module name of a source file of the checkout."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def functions(source: Module) -> Iterator[tuple[str, Function]]:
    """Every function and method with its qualified name; functions inside functions belong to their parent."""

    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield f"{prefix}{child.name}", child
            elif isinstance(child, ast.ClassDef):
                yield from walk(child, f"{prefix}{child.name}.")
            elif isinstance(child, (ast.If, ast.Try, ast.With)):
                yield from walk(child, prefix)

    yield from walk(source.tree, "")


def lines_of(function: Function) -> int:
    """Lines from `def` to the last one, both counted."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def at(source: Module, node: ast.AST) -> str:
    """Where a node stands, as the laws report it."""
    return f"{source.name}:{getattr(node, 'lineno', 0)}"


def chain(node: ast.AST) -> str:
    """The dotted name of an expression such as `os.environ.get`; empty when it is no plain chain of names."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = chain(node.value)
        return f"{base}.{node.attr}" if base else ""
    return ""


def report(wrongs: list[str]) -> None:
    """Fails with every breach on a line of its own; passes when there is none."""
    assert not wrongs, "\n".join(["", *wrongs])
