"""Plants one small fault at a time in the identity rules and counts how many the fast tests notice.

`python -m bench.mutation [--mutants 400] [--seed 7] [--minutes 15] [--out docs/benchmarks/mutation.md]`

A mutant is one module of the rules with one place changed: a comparison turned, a number one greater, `and` for `or`,
`min` for `max`, a condition negated, a statement left out. Each runs in a process of its own with a time limit; nothing
is written to the source. A mutant that no test notices survives and is listed.
"""

from __future__ import annotations

import argparse
import ast
import importlib.abc
import importlib.machinery
import importlib.util
import multiprocessing
import os
import random
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
RULES = "resolver resolve limits fusion hubs periods pairs standing replaces outcome registry"
SLOW = ("test_components.py", "test_accuracy.py", "test_invariants.py")
EXAMPLES = "4"
CPU_SECONDS = 15
PATIENCE_SECONDS = 600
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True, order=True)
class Mutant:
    """One fault: which place of a module (`node`: its number in the tree) and what is done to it."""

    module: str
    line: int
    node: int
    kind: str


def find_mutants(module: str, source: str) -> list[Mutant]:
    """Every fault that can be planted in a module; annotations, docstrings and imports are left alone."""
    tree = ast.parse(source)
    quiet = _quiet(tree)
    nodes = [(place, node) for place, node in enumerate(ast.walk(tree)) if id(node) not in quiet]
    return [Mutant(module, getattr(node, "lineno", 0), place, kind) for place, node in nodes for kind in _kinds(node)]


def _quiet(tree: ast.AST) -> set[int]:
    """Nodes where a change means nothing: annotations, docstrings, and what only the type checker reads."""
    roots: list[ast.AST] = []
    for node in ast.walk(tree):
        roots += [part for name in ("annotation", "returns") if isinstance(part := getattr(node, name, None), ast.AST)]
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            roots.append(node)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            roots.append(node)
    return {id(node) for root in roots for node in ast.walk(root)}


def _kinds(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        yield "comparison turned"
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        yield "operator turned"
    if isinstance(node, ast.BoolOp):
        yield "and for or"
    if isinstance(node, ast.Constant) and isinstance(node.value, int) and not isinstance(node.value, bool):
        yield "number one greater"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
        yield "min for max, any for all"
    if isinstance(node, ast.If | ast.IfExp | ast.While) or (isinstance(node, ast.comprehension) and node.ifs):
        yield "condition negated"
    if isinstance(node, ast.Expr | ast.AugAssign | ast.Continue | ast.Raise):
        yield "statement left out"


def mutate(source: str, mutant: Mutant) -> ast.Module:
    """The module with the fault planted."""
    tree = ast.parse(source)
    node = list(ast.walk(tree))[mutant.node]
    if isinstance(node, ast.stmt) and mutant.kind == "statement left out":
        tree = _without(tree, node)
    elif isinstance(node, ast.Compare):
        node.ops[0] = COMPARISONS[type(node.ops[0])]()
    elif isinstance(node, ast.BinOp):
        node.op = OPERATORS[type(node.op)]()
    elif isinstance(node, ast.BoolOp):
        node.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        node.value += 1
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        node.func.id = CALLS[node.func.id]
    elif isinstance(node, ast.comprehension):
        node.ifs[0] = ast.UnaryOp(ast.Not(), node.ifs[0])
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        node.test = ast.UnaryOp(ast.Not(), node.test)
    return ast.fix_missing_locations(tree)


def _without(tree: ast.Module, left_out: ast.stmt) -> ast.Module:
    for parent in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            body = getattr(parent, name, None)
            if isinstance(body, list) and left_out in body:
                body[body.index(left_out)] = ast.copy_location(ast.Pass(), left_out)
    return tree


class _Planted(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the mutant where its module is asked for, in this process only."""

    def __init__(self, mutant: Mutant) -> None:
        self._name = f"identity.{mutant.module}"
        self._code = compile(mutate(source_of(mutant.module), mutant), str(_path(mutant.module)), "exec")

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)  # the mutant of our own source


@cache
def source_of(module: str) -> str:
    """A module of the rules as it was when the run began."""
    return _path(module).read_text(encoding="utf-8")


def _path(module: str) -> Path:
    return ROOT / "identity" / f"{module}.py"


def _test(mutant: Mutant | None) -> None:
    """The fast tests in this process, with the fault planted; the exit code is 0 when they all pass."""
    import pytest

    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))  # a busy machine is no endless loop
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    os.chdir(ROOT)
    os.environ["CDP_EXAMPLES"] = EXAMPLES
    if mutant is not None:
        sys.meta_path.insert(0, _Planted(mutant))
    folder = ROOT / "tests" / "identity"
    files = [str(path) for path in sorted(folder.glob("test_*.py")) if path.name not in SLOW]
    chosen = [*files, str(folder / "test_invariants.py"), "-k", "not hash_seeds", "-m", "not e2e"]
    sys.exit(int(pytest.main(["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "--hypothesis-seed=0", *chosen])))


def run_tests(mutant: Mutant | None) -> str:
    """`survived`, `killed`, or `killed by time`."""
    process = multiprocessing.get_context("fork").Process(target=_test, args=(mutant,))
    process.start()
    process.join(PATIENCE_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
        return "killed by time"
    if process.exitcode in (-signal.SIGXCPU, -signal.SIGKILL):
        return "killed by time"
    return "killed" if process.exitcode else "survived"


def choose(count: int, seed: int) -> list[Mutant]:
    """So many mutants of all modules, drawn evenly from all places; the same for the same seed."""
    found = [one for name in RULES.split() for one in find_mutants(name, source_of(name))]
    return random.Random(seed).sample(sorted(found), min(count, len(found)))


def report(results: dict[Mutant, str], asked: str, seconds: float) -> str:
    """The page: shares by module and kind, and every survivor with its line."""
    killed = {one for one, result in results.items() if result != "survived"}
    share = len(killed) / max(1, len(results))
    timed = sum(result == "killed by time" for result in results.values())
    lines = [
        "# Mutation testing of the identity rules",
        "",
        f"Made by `python -m bench.mutation {asked}`. {len(results)} mutants ran: {len(killed)} killed "
        f"({share:.1%}), {timed} of them by the time limit; {len(results) - len(killed)} survived. The tests take "
        f"{seconds:.1f} s on the rules as they are.",
        "",
        *_table("module", Counter(one.module for one in results), Counter(one.module for one in killed)),
        *_table("fault", Counter(one.kind for one in results), Counter(one.kind for one in killed)),
        "## Survivors",
        "",
        *(f"- `{one.module}.py:{one.line}` {one.kind}: `{_line(one)}`" for one in sorted(results.keys() - killed)),
    ]
    return "\n".join(lines) + "\n"


def _table(title: str, tried: Counter[str], killed: Counter[str]) -> list[str]:
    rows = [f"| {name} | {tried[name]} | {killed[name]} | {killed[name] / tried[name]:.0%} |" for name in sorted(tried)]
    return [f"| {title} | mutants | killed | share |", "|---|---|---|---|", *rows, ""]


def _line(mutant: Mutant) -> str:
    return source_of(mutant.module).splitlines()[mutant.line - 1].strip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the mutants one after another; 1 when the tests fail without any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--mutants", type=int, default=400)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks" / "mutation.md")
    given = parser.parse_args(arguments)
    _warm()
    began = time.monotonic()
    if run_tests(None) != "survived":
        print("the tests fail without a mutant: nothing can be measured", file=sys.stderr)
        return 1
    seconds = time.monotonic() - began
    results: dict[Mutant, str] = {}
    for mutant in choose(given.mutants, given.seed):
        if time.monotonic() - began > 60 * given.minutes:
            break
        results[mutant] = run_tests(mutant)
        if results[mutant] == "survived":
            print(f"survived {mutant.module}.py:{mutant.line} {mutant.kind}: {_line(mutant)}", flush=True)
    page = report(results, f"--mutants {given.mutants} --seed {given.seed} --minutes {given.minutes:g}", seconds)
    print(page.split("## Survivors")[0])
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(page, encoding="utf-8")
    return 0


def _warm() -> None:
    """What every test process needs besides the rules is loaded once."""
    for name in ("hypothesis", "hypothesis.strategies", "networkx", "pytest", "yaml"):
        importlib.import_module(name)


if __name__ == "__main__":
    sys.exit(main())
