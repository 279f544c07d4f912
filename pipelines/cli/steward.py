"""Commands of stewards: decisions about people, and the questions that the rules leave to them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.common import ConfigOption, JsonOption, WaitOption, say, settings_of, show, writing
from pipelines.cli.people import changes_text, decisions_in, last_day, reader_of, stitch_now
from pipelines.errors import CdpError, ConfigurationError, ExitCode
from pipelines.settings import Settings

if TYPE_CHECKING:
    from identity.decision import Decision

steward_app = typer.Typer(help="Decisions about people; they outrank evidence until revoked.", no_args_is_help=True)

ActorOption = Annotated[str, typer.Option("--actor", help="Who decides.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why.")]
DayOption = Annotated[str | None, typer.Option("--as-of", help="Business day; default: that of the last run.")]
PreviewOption = Annotated[bool, typer.Option("--preview", help="Show what it would change, and change nothing.")]
QUESTIONS = ("contested", "staff_phone", "recipient", "held", "rival_claim")
KindOption = Annotated[str | None, typer.Option("--kind", help=f"{', '.join(QUESTIONS)}.")]
IdentifierArgument = Annotated[str, typer.Argument(help="namespace:scope:value, or a phone number.")]


Words = tuple[str, str, str | None, str, str, str | None]
"""Kind, identifier or decision, second identifier, actor, reason, business day."""


@steward_app.command("must-link")
def must_link(
    a: IdentifierArgument,
    b: IdentifierArgument,
    actor: ActorOption,
    reason: ReasonOption,
    as_of: DayOption = None,
    preview: PreviewOption = False,
    wait: WaitOption = 0.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Two identifiers are one person."""
    _decide(config, ("must_link", a, b, actor, reason, as_of), only_preview=preview, wait=wait, as_json=as_json)


@steward_app.command("cannot-link")
def cannot_link(
    a: IdentifierArgument,
    b: IdentifierArgument,
    actor: ActorOption,
    reason: ReasonOption,
    as_of: DayOption = None,
    preview: PreviewOption = False,
    wait: WaitOption = 0.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Two identifiers are two persons."""
    _decide(config, ("cannot_link", a, b, actor, reason, as_of), only_preview=preview, wait=wait, as_json=as_json)


@steward_app.command("detach")
def detach(
    a: IdentifierArgument,
    actor: ActorOption,
    reason: ReasonOption,
    as_of: DayOption = None,
    preview: PreviewOption = False,
    wait: WaitOption = 0.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """An identifier is not of the person it is with now."""
    _decide(config, ("detach", a, None, actor, reason, as_of), only_preview=preview, wait=wait, as_json=as_json)


@steward_app.command("revoke")
def revoke(
    decision: Annotated[str, typer.Argument(help="Id of the decision.")],
    actor: ActorOption,
    reason: ReasonOption,
    as_of: DayOption = None,
    preview: PreviewOption = False,
    wait: WaitOption = 0.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """A decision is no longer in force."""
    _decide(config, ("revoke", decision, None, actor, reason, as_of), only_preview=preview, wait=wait, as_json=as_json)


@steward_app.command("list")
def listdecisions_in(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """All decisions, with who, why and when."""
    from pipelines.stewarding import decision_row

    rows = [decision_row(one) for one in decisions_in(settings_of(config))]
    lines = [
        f"{row['decision_id']}  {row['kind']:12s} {row['a']}  {row['b'] or ''}  {row['actor']}: {row['reason']}"
        + (_revoked(row) if row["revoked_as_of"] else "")
        for row in rows
    ]
    show(rows, as_json=as_json, text="\n".join(lines) or "no decisions")


def _revoked(row: Mapping[str, Any]) -> str:
    why = f": {row['revoked_reason']}" if row["revoked_reason"] else ""
    return f"  (revoked {row['revoked_as_of']} by {row['revoked_by']}{why})"


@steward_app.command("queue")
def queue(
    kind: KindOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Questions shown.")] = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """What the rules leave open, with the evidence for and against, and the commands that decide it."""
    from pipelines.questions import question_text, with_choices
    from pipelines.store.versions import rows_of

    if kind is not None and kind not in QUESTIONS:
        raise ConfigurationError(
            "there is no such kind of question", where="cdp steward queue --kind", hint=f"one of {', '.join(QUESTIONS)}"
        )
    settings = settings_of(config)
    where = "true" if kind is None else "kind = $kind"
    query = f"SELECT * FROM t WHERE {where} ORDER BY kind, identifier, candidate_key LIMIT {limit}"
    rows = rows_of(settings.lake, "identity.review_queue", query, {} if kind is None else {"kind": kind})
    if rows:
        rows = with_choices(reader_of(settings), decisions_in(settings), rows, last_day(settings))
    show(rows, as_json=as_json, text="\n".join(map(question_text, rows)) or "nothing to decide")


def _decide(
    config: Path | None,
    words: Words,
    *,
    only_preview: bool,
    wait: float,
    as_json: bool,
) -> None:
    """The decision is checked, recorded and in force; refused ones end with exit 7."""
    settings = settings_of(config)
    last = last_day(settings)
    if only_preview:
        _, effect = _checked(settings, words, last)
        show(effect, as_json=as_json, text=changes_text(effect))
        return
    # Checked under the lock: two stewards at once would number two decisions alike, and one would be lost.
    with writing(settings, wait):
        decision, effect = _checked(settings, words, last)
        _record(settings, decision)
        result = stitch_now(settings, None, max(words[-1] or last, last))
    state = "in force" if decision.in_force else "revoked"
    say(f"{decision.decision_id} is {state}; run `cdp run` to make features and the snapshot follow")
    show({"decision": decision.decision_id, **effect, **result}, as_json=as_json, text=changes_text(effect))


def _checked(settings: Settings, words: Words, last: str) -> tuple[Decision, dict[str, Any]]:
    """The decision that the words ask for, and what it would merge and split."""
    from identity.errors import DecisionRefused
    from pipelines.stewarding import Request, decide, preview, with_decision

    reader, standing = reader_of(settings), decisions_in(settings)
    kind, a, b, actor, reason, as_of = words
    try:
        decision = decide(reader, standing, Request(kind, a, b, actor, reason, as_of or last), last)
    except DecisionRefused as refused:
        raise CdpError(
            ExitCode.POLICY, refused.message, where="identity.steward_decisions", hint=refused.hint
        ) from None
    return decision, preview(reader, standing, with_decision(standing, decision), decision, last)


def _record(settings: Settings, decision: Decision) -> None:
    from pipelines.stewarding import decision_row
    from pipelines.store.history import put_row
    from pipelines.tables import ALL

    put_row(settings.lake, ALL["identity.steward_decisions"], decision_row(decision))
