"""The stitcher in process: rows in, OneIDs out, every answer explained; for tests, notebooks and simulation.

State is rebuilt from all evidence and decisions in every run, never patched; only the registry of OneIDs, the journal
of rows and the history of answers are kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from identity.accuracy import evaluate, reachable_groups
from identity.business_time import day_end_ms, parse_day
from identity.causes import Causes
from identity.changes import Change, World, compare
from identity.decision import Decision, DecisionKind
from identity.difference import partition_difference
from identity.engine import Engine, View
from identity.errors import DecisionRefused
from identity.explain import Explainer, is_allowed, refused_values, shared_refusals
from identity.history import History, Run
from identity.identifier import Identifier, parse_identifier
from identity.journal import Journal
from identity.lookup import Finder, KnownToday, answer_at, holder_at
from identity.masking import hide_contacts
from identity.normalise import Reading, normalise_identifier
from identity.observation import Rejection, rejection_label
from identity.order import Order
from identity.policy import Policy
from identity.registry import RegistryOutcome, RegistryState, assign
from identity.report import RunFacts, build_report
from identity.review import build_queue
from identity.steward import KINDS, Desk, check, find_revocable, refuse_name
from identity.token import TEST_KEY

if TYPE_CHECKING:
    import networkx as nx

Plain = dict[str, Any]


class Resolver:
    """Who is who, run by run. Without `identity_key` a fixed one is used, for tests only.

    `mix_keys`: Tmall key of each merchant, to recognise `tmall_mix_mobile`.
    """

    def __init__(
        self, policy: Policy, identity_key: str | bytes | None = None, *, mix_keys: Mapping[str, str] | None = None
    ) -> None:
        self._policy = policy
        self._earlier: list[Policy] = []
        self._engine = Engine(identity_key or TEST_KEY, mix_keys or {})
        self._journal = Journal()
        self._history = History()
        self._decisions: tuple[Decision, ...] = ()
        self._as_of = "1970-01-01"
        self._run = 0
        self._view = self._engine.resolve([], (), policy, as_of=self._as_of)
        self._outcome = self._assign(self._view, RegistryState(), policy, run=0)
        self._report = build_report(self._view.resolution, RunFacts(0, self._as_of, (), {}, {}, {}))
        self._unreported: list[Change] = []
        self._explaining: tuple[View, Explainer] | None = None
        self._changes: list[tuple[Run, Change]] = []

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._policy

    # Runs

    def apply(self, observations: Iterable[Mapping[str, Any]], as_of: str) -> list[Plain]:
        """One run over new rows; the changes since the last one, those of steward decisions in between included.

        `as_of` is the business date the rows arrived on. Rows that are no observations, or whose id is taken by other
        content, are refused one by one and listed in `rejections`. Raises BusinessDateError.
        """
        parse_day(as_of)
        run = self._run + 1
        self._journal.accept(observations, self._policy, interval=as_of, run=run)
        found = self._unreported + self._advance(self._policy, self._decisions, as_of)
        self._unreported = []
        return [change.to_dict() for change in found]

    def rebuild(self) -> list[Plain]:
        """Everything resolved anew from all evidence with the registry kept; the changes, empty when all is well."""
        view = self._resolve(self._policy, self._decisions, self._as_of)
        outcome = self._assign(view, self._outcome.state, self._policy, run=self._run + 1)
        found = self._compare(view, outcome, self._policy, trigger="rule:rebuild")
        self._view, self._outcome = view, outcome
        return [change.to_dict() for change in found]

    def adopt(self, other_policy: Policy, as_of: str) -> list[Plain]:
        """Another policy is in force on all history; the changes."""
        parse_day(as_of)
        self._earlier.append(self._policy)
        return self._enforce(other_policy, as_of)

    def rollback(self, as_of: str) -> list[Plain]:
        """The policy before the last adopted one is in force again; the changes. Raises DecisionRefused without one."""
        parse_day(as_of)
        if not self._earlier:
            raise DecisionRefused("rollback", "no policy was adopted", hint="adopt one first")
        return self._enforce(self._earlier.pop(), as_of)

    def steward(self, kind: str, a: str, b: str | None = None, *, actor: str, reason: str, as_of: str) -> str:
        """A decision is in force at once; its id. `kind`: must_link, cannot_link, detach (`a` only), or revoke (`a` is
        a decision id). Raises DecisionRefused when it cannot stand or changes nothing."""
        decided = self._decided(kind, a, b, actor=actor, reason=reason, as_of=as_of)
        decisions, decision_id = decided
        self._unreported += self._advance(self._policy, decisions, as_of, trigger=f"decision:{decision_id}")
        return decision_id

    def preview(self, kind: str, a: str, b: str | None = None, *, as_of: str) -> Plain:
        """What a decision would merge, split, give to or take from an owner, nothing changed. Raises DecisionRefused
        like `steward`."""
        decisions, _ = self._decided(kind, a, b, actor="preview", reason="preview", as_of=as_of)
        return self._difference(self._resolve(self._policy, decisions, as_of), self._policy)

    def diff(self, other_policy: Policy) -> Plain:
        """What another policy would merge and split on all history, nothing changed."""
        found = self._difference(self._resolve(other_policy, self._decisions, self._as_of), other_policy)
        return {name: found[name] for name in ("merges", "splits")}

    def diff_owners(self, other_policy: Policy) -> list[Plain]:
        """Identifiers that belong to nobody and would to somebody under another policy, or the reverse: `identifier`,
        its OneID `before` and `after`. Nothing is changed."""
        found = self._difference(self._resolve(other_policy, self._decisions, self._as_of), other_policy)
        return list(found["owners"])

    # Answers

    def one_id(self, identifier: str, at: str | None = None, known_at: str | None = None) -> str | None:
        """The living OneID an identifier belongs to, None when it is unknown or owned by nobody.

        `at`: the business date it was valid on, by what is known today; `known_at`: what the run of that day answered.
        """
        found = self._read(identifier)
        if found is None:
            return None
        run = None if known_at is None else self._history.run_of(known_at)
        if known_at is not None and run is None:
            return None
        names = self._finder().names(found)
        if at is not None:
            return self._holder(names, at, run) or None
        if run is not None:
            return self._history.answer(names, run.number) or None
        return next((self._outcome.placed[name] for name in names if name in self._outcome.placed), None)

    def lookup(self, identifier: str) -> Plain:
        """An identifier's OneID and status, and the candidates where it is contested; status `unknown` when unseen."""
        found = self._read(identifier)
        for name in () if found is None else self._finder().names(found):
            placement = self._view.resolution.placements.get(name)
            if placement is not None:
                candidates = sorted({self._outcome.one_ids[part] for part in placement.candidates})
                one_id = self._outcome.placed.get(name)
                return {"one_id": one_id, "status": placement.status, "candidates": candidates}
        return {"one_id": None, "status": "unknown", "candidates": []}

    def clusters(self) -> dict[str, set[str]]:
        """By living OneID its identifiers; a number in its clear form, however it was seen."""
        parts = zip(self._outcome.one_ids, self._view.resolution.parts, strict=True)
        return {one_id: {str(identifier) for identifier in part.identifiers} for one_id, part in parts}

    def redirects(self) -> dict[str, str]:
        """Retired OneIDs that were merged, each with the living one it leads to."""
        return self._outcome.state.redirects()

    def explain(self, a: str, b: str, at: str | None = None) -> Plain:
        """Why two identifiers are one person, or why not; on any past business date by what is known today."""
        ends = [end for text in (a, b) if (end := self._read(text)) is not None]
        if len(ends) < 2:
            return {"linked": False, "path": [], "refused": self._refused_values(a, b)}
        if at is None:
            found = self._explainer.explain(*(self._finder().canonical(end) for end in ends))
            return found if found["linked"] or found["refused"] else found | {"refused": self._shared_refusals(ends)}
        view = self._view_at(at, None, [name for end in ends for name in self._finder().names(end)])
        first, second = (self._finder(view).canonical(end) for end in ends)
        return Explainer(view.resolution, self._canonical_decisions(view)).explain(first, second)

    def rejections(self) -> list[Plain]:
        """Refused identifiers and rows: observation, source, identifier (personal values as tokens) and rule."""
        rows = [
            (row.observation_id, row.source, rejection_label(one, self._policy, self._engine.identity_key), one.rule)
            for row in self._journal.observations(self._policy)
            for one in row.rejections
        ]
        rows += [
            (one.observation_id, one.source, self._token_label(one.identifier), one.rule)
            for one in self._view.resolution.refusals
        ]
        rows += [(one.observation_id, one.source, "", one.rule) for one in self._journal.rejected.values()]
        keys = ("observation_id", "source", "identifier", "rule")
        return [dict(zip(keys, row, strict=True)) for row in sorted(set(rows))]

    def review_queue(self) -> list[Plain]:
        """What a person should look at: kind, identifier, candidate OneIDs and evidence."""
        return build_queue(
            self._view.resolution, self._view.claims, self._outcome.one_ids, self._outcome.placed, self._policy.review
        )

    def hubs(self) -> list[Plain]:
        """Identifiers all of whose links are suspended, with the number of partners that made them hubs."""
        return [{"identifier": str(hub.identifier), "count": hub.count} for hub in self._view.resolution.hubs]

    def report(self) -> Plain:
        """The report of the last run as plain data."""
        return dict(self._report)

    def evaluate(self, truth: Mapping[str, str], reachable: Mapping[str, str] | None = None) -> Plain:
        """Accuracy against a truth file, person by identifier; see `identity.accuracy.evaluate`.

        Without `reachable` it is what the evidence given so far may join, suspended links included."""
        if reachable is None:
            allowed = [edge for edge in self._view.resolution.edges if is_allowed(edge)]
            reachable = reachable_groups([(str(edge.a), str(edge.b)) for edge in allowed], truth)
        return dict(evaluate(self.clusters(), truth, reachable))

    def changes(self) -> list[Plain]:
        """All changes of all runs, each with its run and business day."""
        return [change.to_dict() | {"run": run.number, "as_of": run.as_of} for run, change in self._changes]

    def decisions(self) -> list[Decision]:
        """All decisions, revoked ones included."""
        return list(self._decisions)

    def export_graph(self, identifier: str) -> nx.MultiGraph[str]:
        """The cluster of an identifier as a graph: nodes with status, edges with rule, evidence and refusal."""
        found = self._read(identifier)
        name = None if found is None else self._finder().canonical(found)
        return self._finder().graph(name)

    # The one place where state moves

    def _advance(self, policy: Policy, decisions: tuple[Decision, ...], as_of: str, trigger: str = "") -> list[Change]:
        run = Run(self._run + 1, as_of, policy, decisions)
        latest = max(self._as_of, as_of)
        view = self._engine.refresh(self._journal.observations(policy), decisions, policy, as_of=latest)
        outcome = self._assign(view, self._outcome.state, policy, run=run.number)
        found = self._compare(view, outcome, policy, trigger=trigger)
        self._history.record(run, self._outcome.placed, outcome.placed)
        before = self._outcome.placed
        self._run, self._as_of, self._policy, self._decisions = run.number, latest, policy, decisions
        self._view, self._outcome = view, outcome
        self._changes += [(run, change) for change in found]
        refusals = Counter(row["rule"] for row in self.rejections())
        clamped = sum(row.clamped for row in self._journal.of_run(policy, run.number))
        facts = RunFacts(run.number, as_of, outcome.one_ids, before, outcome.placed, refusals, clamped)
        self._report = build_report(view.resolution, facts)
        return found

    def _enforce(self, policy: Policy, as_of: str) -> list[Plain]:
        found = self._advance(policy, self._decisions, as_of, trigger=f"configuration:{policy.digest()}")
        return [change.to_dict() for change in found]

    def _resolve(self, policy: Policy, decisions: Iterable[Decision], as_of: str) -> View:
        return self._engine.resolve(self._journal.observations(policy), decisions, policy, as_of=as_of)

    def _assign(self, view: View, registry: RegistryState, policy: Policy, *, run: int) -> RegistryOutcome:
        return assign(
            self._engine.parts(view, registry),
            registry,
            run=run,
            identity_key=self._engine.identity_key,
            order_value=self._engine.order_value(policy),
        )

    def _compare(self, view: View, outcome: RegistryOutcome, policy: Policy, *, trigger: str) -> list[Change]:
        new = self._journal.of_run(policy, self._run + 1)
        stated = {
            (row.source, row.observation_id): [view.names.get(s.identifier, s.identifier) for s in row.ids if s.linking]
            for row in sorted(new, key=lambda row: (row.event_ms, row.source, row.observation_id))
        }
        before = World(self._outcome.placed, self._outcome.state)
        return compare(
            before,
            World(outcome.placed, outcome.state),
            Causes(self._view.resolution, view.resolution, stated, trigger).of,
        )

    # Decisions

    def _decided(
        self, kind: str, a: str, b: str | None, *, actor: str, reason: str, as_of: str
    ) -> tuple[tuple[Decision, ...], str]:
        """All decisions with the new one, and its id; nothing changed yet."""
        parse_day(as_of)
        if kind not in KINDS:
            raise DecisionRefused(kind, "unknown kind of decision", hint=", ".join(KINDS))
        if not actor.strip() or not reason.strip():
            raise DecisionRefused(kind, "a decision names its actor and its reason")
        if kind == "revoke":
            revoked = find_revocable(self._decisions, a)
            after = revoked.revoked(actor=actor, reason=reason, as_of=as_of)
            return tuple(after if one is revoked else one for one in self._decisions), self._decision_id("rev")
        decision = self._new_decision(kind, a, b, actor=actor, reason=reason, as_of=as_of)  # type: ignore[arg-type]
        return (*self._decisions, decision), decision.decision_id

    def _new_decision(
        self, kind: DecisionKind, a: str, b: str | None, *, actor: str, reason: str, as_of: str
    ) -> Decision:
        first = self._named(kind, a)
        desk = Desk(self._view.resolution, self._canonical_decisions(self._view), self._order())
        second = None if kind == "detach" else self._named(kind, b)
        others = check(desk, kind, first, second)
        return Decision(self._decision_id("dec"), kind, first, second, others, actor, hide_contacts(reason), as_of)

    def _named(self, kind: str, text: str | None) -> Identifier:
        reading = None if text is None or text.count(":") < 2 else self._reading(text)
        if reading is None or reading.refusal:
            raise refuse_name(kind, text, "" if reading is None else reading.refusal)
        return self._finder().canonical(reading.identifier)

    def _decision_id(self, prefix: str) -> str:
        return f"{prefix}-{self._run + 1:06d}"

    def _canonical_decisions(self, view: View) -> list[Decision]:
        return [self._engine.canonical_decision(decision, view.names) for decision in self._decisions]

    # Names and views

    def _read(self, text: str) -> Identifier | None:
        if text.count(":") < 2:
            return None
        reading = self._reading(text)
        return None if reading.refusal else reading.identifier

    def _reading(self, text: str) -> Reading:
        return normalise_identifier(parse_identifier(text), self._policy)

    def _refused_values(self, a: str, b: str) -> list[Plain]:
        """Why a value that no rule reads as an identifier joins nobody."""
        if a.count(":") < 2 or b.count(":") < 2:
            return []
        first, second = (self._read(text) or parse_identifier(text) for text in (a, b))
        return refused_values(self._journal.observations(self._policy), (first, second))

    def _shared_refusals(self, ends: Iterable[Identifier]) -> list[Plain]:
        """Refused values that rows named with either of two, when nothing else ever stood between them."""

        def label(rejection: Rejection) -> str:
            return rejection_label(rejection, self._policy, self._engine.identity_key)

        names = [set(self._finder().names(end)) for end in ends]
        return shared_refusals(self._journal.observations(self._policy), names, label)

    def _order(self) -> Order:
        return Order(self._policy, self._engine.order_value(self._policy))

    def _finder(self, view: View | None = None) -> Finder:
        return Finder(view or self._view, self._engine)

    def _token_label(self, identifier: Identifier) -> str:
        value = self._engine.order_value(self._policy)(identifier)
        return str(identifier._replace(value=value))

    def _holder(self, names: Sequence[Identifier], day: str, run: Run | None) -> str:
        """The OneID that held a node on a day, by what is known today or what a run knew; empty for nobody."""
        view = self._view_at(day, run, names)
        if run is not None:
            return answer_at(names, view, self._history.answers(run.number, _members(view)), self._order())
        registry = self._outcome.state
        now = KnownToday(
            self._view.resolution,
            self._outcome.one_ids,
            registry,
            lambda member: self._engine.with_aliases(member, registry),
        )
        return holder_at(names, day_end_ms(day), view.resolution, now)

    def _view_at(self, day: str, run: Run | None, names: Iterable[Identifier]) -> View:
        """What was valid on a day around some identifiers, by what is known today or by what a run knew."""
        policy = self._policy if run is None else run.policy
        number = None if run is None else run.number
        places = self._engine.cache.rows_of(names) if policy == self._policy else None
        rows = self._journal.observations(policy, until_run=number, places=places)
        decisions = self._decisions if run is None else run.decisions
        return self._engine.resolve(rows, decisions, policy, as_of=self._as_of, until=day_end_ms(day))

    @property
    def _explainer(self) -> Explainer:
        """The explainer of the present view, made once for it."""
        if self._explaining is None or self._explaining[0] is not self._view:
            decisions = self._canonical_decisions(self._view)
            self._explaining = (self._view, Explainer(self._view.resolution, decisions))
        return self._explaining[1]

    def _difference(self, view: View, policy: Policy) -> Plain:
        outcome = self._assign(view, self._outcome.state, policy, run=self._run + 1)
        return partition_difference(self._view.resolution, self._outcome, view.resolution, outcome)


def _members(view: View) -> list[Identifier]:
    return [identifier for part in view.resolution.parts for identifier in part.identifiers]
