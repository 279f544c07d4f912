"""Commands about people: who is who, why, what a policy changes, and what stewards decide."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.common import (
    ConfigOption,
    JsonOption,
    WaitOption,
    keys_of,
    settings_of,
    show,
    writing,
)
from pipelines.cli.people import changes_text, decisions_in, last_day, reader_of, stitch_now, stitching
from pipelines.cli.steward import steward_app
from pipelines.errors import ConfigurationError, IntegrityError
from pipelines.settings import Settings

if TYPE_CHECKING:
    from identity.policy import Policy
    from pipelines.lookup import Lookup

identity_app = typer.Typer(help="Who is who, and why.", no_args_is_help=True)

AtOption = Annotated[str | None, typer.Option("--at", help="Business day, by what is known today.")]
PolicyOption = Annotated[Path, typer.Option("--policy", help="YAML file with the other policy.")]
IdentifierArgument = Annotated[str, typer.Argument(help="namespace:scope:value, or a phone number.")]


def mount(app: typer.Typer) -> None:
    """The commands are part of the app."""
    app.add_typer(identity_app, name="identity")
    app.add_typer(steward_app, name="steward")


@identity_app.command("lookup")
def lookup(
    identifiers: Annotated[list[str] | None, typer.Argument(help="namespace:scope:value, or phone numbers.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="File with one identifier per line.")] = None,
    at: AtOption = None,
    known_at: Annotated[str | None, typer.Option("--known-at", help="What the run of that day answered.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """The OneID of identifiers, with status and candidates."""
    wanted = [*(identifiers or ()), *(_lines(file) if file else ())]
    if not wanted:
        raise ConfigurationError(
            "no identifier was given", where="cdp identity lookup", hint="name one, or give --file"
        )
    if at is not None and known_at is not None:
        raise ConfigurationError(
            "--at and --known-at are two questions",
            where="cdp identity lookup",
            hint="ask what was valid on a day (--at) or what its run answered (--known-at)",
        )
    answers = _lookup(settings_of(config)).find(wanted, at=at, known_at=known_at)
    lines = [
        f"{one['identifier']}  {one['one_id'] or '-'}  {one['status']}"
        + (f"  candidates {', '.join(one['candidates'])}" if one["candidates"] else "")
        for one in answers
    ]
    show(answers, as_json=as_json, text="\n".join(lines))


@identity_app.command("explain")
def explain(
    a: IdentifierArgument,
    b: IdentifierArgument,
    at: AtOption = None,
    chinese: Annotated[bool, typer.Option("--zh", help="In Chinese.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Why two identifiers are one person, or why not."""
    from pipelines.explaining import explanation_text

    answer = _lookup(settings_of(config)).explain(a, b, at=at)
    show(answer, as_json=as_json, text=explanation_text(answer, chinese=chinese))


@identity_app.command("report")
def report(
    run: Annotated[str | None, typer.Option("--run", help="Run; default: the last one.")] = None,
    truth: Annotated[Path | None, typer.Option("--truth", help="Truth folder of a simulated world.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """The figures of a stitching run; with a truth, how right they are. Exit 4 when a gate is broken."""
    from pipelines.evaluate import evaluate
    from pipelines.jobs.s3_report import figures_of, gates_broken
    from pipelines.policies import policy_path, read_policy

    settings = settings_of(config)
    policy = read_policy(policy_path(settings))
    figures = figures_of(settings.lake, run)
    if not figures:
        raise ConfigurationError("no such stitching run", where="identity.report", hint="run `cdp run` first")
    shown = [{"metric": m, "dimension": d, "value": v} for (m, d), v in sorted(figures.items())]
    if truth is not None:
        measures = evaluate(settings.home, truth, policy, keys_of(settings).identity)
        shown += [{"metric": "accuracy", "dimension": name, "value": value} for name, value in _flat(measures)]
    text = "\n".join(f"{row['metric']:24s} {row['dimension']:32s} {row['value']:>14,.6g}" for row in shown)
    show(shown, as_json=as_json, text=text)
    broken = gates_broken(figures, policy)
    if broken:
        raise IntegrityError("; ".join(broken), where="identity.report", hint="see `cdp steward queue`")


@identity_app.command("verify")
def verify(wait: WaitOption = 0.0, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Prove on the live lake that a full rebuild gives the same people and ids; exit 4 when it does not."""
    from pipelines.jobs.s3_verify import verify as prove

    settings = settings_of(config)
    with writing(settings, wait):
        found = prove(settings.lake, stitching(settings))
    rows = [{"table": one.table, "rows": one.rows, "samples": list(one.samples)} for one in found]
    show(rows, as_json=as_json, text="\n".join(f"{r['table']}: {r['rows']} rows differ" for r in rows) or "all is well")
    if rows:
        raise IntegrityError(
            f"a rebuild would change {sum(one.rows for one in found)} rows",
            where=found[0].table,
            hint="run `cdp run --full`, then find out who wrote to the table",
        )


@identity_app.command("diff")
def diff(policy: PolicyOption, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """What another policy would merge, split and whose owner it would find or take, on all history; nothing changed."""
    from pipelines.jobs.s3_verify import diff as compare
    from pipelines.policies import read_policy

    settings = settings_of(config)
    other = read_policy(policy)
    with writing(settings):
        found = compare(settings.lake, stitching(settings), other)
    show(found, as_json=as_json, text=changes_text(found))


@identity_app.command("apply")
def apply(
    policy: PolicyOption, wait: WaitOption = 0.0, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Put another policy in force on the whole history; `cdp run` makes features and the snapshot follow."""
    from pipelines.policies import put_in_force

    settings = settings_of(config)
    with writing(settings, wait):
        _, after = put_in_force(settings, policy)
        _enforce(settings, after, as_json=as_json)


@identity_app.command("rollback")
def rollback(wait: WaitOption = 0.0, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Take the last applied policy back, on the whole history."""
    from pipelines.policies import take_back

    settings = settings_of(config)
    with writing(settings, wait):
        _, after = take_back(settings)
        _enforce(settings, after, as_json=as_json)


@identity_app.command("export")
def export(
    identifier: IdentifierArgument,
    out: Annotated[Path, typer.Option("--out", help="File: .graphml or .json.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """The graph around a person as GraphML or JSON; personal values as tokens."""
    import networkx as nx

    graph = _lookup(settings_of(config)).graph(identifier)
    if out.suffix == ".graphml":
        nx.write_graphml(graph, out)
    elif out.suffix == ".json":
        out.write_text(json.dumps(nx.node_link_data(graph), ensure_ascii=False, indent=1), encoding="utf-8")
    else:
        raise ConfigurationError(f"unknown format {out.suffix!r}", where=str(out), hint="end it in .graphml or .json")
    result = {"file": str(out), "nodes": graph.number_of_nodes(), "edges": graph.number_of_edges()}
    show(result, as_json=as_json, text=f"{result['nodes']} identifiers and {result['edges']} links in {out}")


def _flat(measures: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The figures of nested measures with their dotted names."""
    for name, value in measures.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _lines(file: Path) -> list[str]:
    if not file.is_file():
        raise ConfigurationError(
            "the file is missing", where=str(file), hint="give a file with one identifier per line"
        )
    return [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def _lookup(settings: Settings) -> Lookup:
    from pipelines.lookup import Lookup

    return Lookup(reader_of(settings), decisions_in(settings), last_day(settings))


def _enforce(settings: Settings, policy: Policy, *, as_json: bool) -> None:
    result = stitch_now(settings, policy, last_day(settings))
    text = ", ".join(f"{name} {n:.0f}" for name, n in result["changes"].items()) or "nothing"
    show(result, as_json=as_json, text=f"changed: {text}; run `cdp run` to make features and the snapshot follow")
