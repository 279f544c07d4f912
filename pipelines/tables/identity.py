"""Identity: edges, the identifier map, the registry of OneIDs and everything that explains them."""

from __future__ import annotations

from pipelines.spec import Check, Column, Table, columns

IDENTIFIER: tuple[Column, ...] = (
    Column("namespace", "string", "Namespace of the identifier", required=True),
    Column("scope", "string", "Scope; empty for a global namespace", required=True),
    Column("value", "string", "Value; a phone as its token", pii="pseudonym", required=True),
)

EDGES = Table(
    layer="identity",
    name="edges",
    doc="Pairs of identifiers that were seen together, with all their evidence; removal is soft.",
    grain="one unordered pair of identifiers",
    key=("a_key", "b_key"),
    columns=columns(
        Column("a_key", "bigint", "Surrogate key of the smaller end", required=True),
        Column("b_key", "bigint", "Surrogate key of the greater end", required=True),
        Column("a_identifier", "string", "namespace:scope:value of the smaller end", pii="pseudonym", required=True),
        Column("b_identifier", "string", "namespace:scope:value of the greater end", pii="pseudonym", required=True),
        Column("status", "string", "live, suspended, withdrawn, expired or dropped", required=True),
        Column("rule", "string", "Rule that made or suspended the link", required=True),
        Column("sources", "array<string>", "Sources that saw the pair, sorted"),
        Column("first_ms", "bigint", "First sighting, UTC epoch ms"),
        Column("last_ms", "bigint", "Last sighting, UTC epoch ms"),
        Column("sightings", "bigint", "Number of sightings"),
        Column("first_observation", "string", "source/observation_id of the first sighting"),
        Column("last_observation", "string", "source/observation_id of the last sighting"),
    ),
    checks=(Check("ordered_ends", "a_key < b_key"),),
)

REJECTIONS = Table(
    layer="identity",
    name="rejections",
    doc="Identifiers that were refused while their business row was kept.",
    grain="one identifier of one observation and rule",
    key=("source", "observation_id", "namespace", "scope", "value_token", "rule"),
    columns=columns(
        Column("source", "string", "Source of the observation", required=True),
        Column("observation_id", "string", "Observation", required=True),
        Column("namespace", "string", "Namespace as written", required=True),
        Column("scope", "string", "Scope as written", required=True),
        Column("value_token", "string", "Token of the refused value", pii="token", required=True),
        Column("rule", "string", "Rule that refused it", required=True),
        Column("interval", "date", "Arrival interval", required=True),
    ),
    checks=(Check("has_rule", "length(rule) > 0"),),
)

ONEID_MAP = Table(
    layer="identity",
    name="oneid_map",
    doc="Which OneID every identifier belongs to, and when.",
    grain="one identifier and validity period; exactly one row per identifier has no valid_to",
    key=("identifier_key", "valid_from"),
    published=True,
    columns=columns(
        Column("identifier_key", "bigint", "64-bit surrogate key of the identifier", required=True),
        IDENTIFIER,
        Column("one_id", "string", "Living OneID; null when nobody owns the identifier"),
        Column("status", "string", "active, contested, held, hub or expired", required=True),
        Column("valid_from", "timestamp", "Begin of the period"),
        Column("valid_to", "timestamp", "End of the period; null for the last one"),
        Column("first_seen", "timestamp", "First sighting"),
        Column("last_seen", "timestamp", "Last sighting"),
        Column("component", "bigint", "Raw component: identifiers that must be resolved together", required=True),
        Column("candidates", "array<string>", "OneIDs a contested contact might belong to, sorted"),
    ),
    checks=(Check("known_status", "status IN ('active','contested','held','hub','expired')"),),
)

ONEIDS = Table(
    layer="identity",
    name="oneids",
    doc="The registry of OneIDs, living and retired.",
    grain="one OneID",
    key=("one_id",),
    published=True,
    columns=columns(
        Column("one_id", "string", "OneID", required=True),
        Column("status", "string", "active, visitor, merged or retired", required=True),
        Column("minted_at", "date", "Business day of the run that minted it", required=True),
        Column("mint_seq", "bigint", "Order of minting over all runs", required=True),
        Column("merged_into", "string", "Living OneID it redirects to"),
        Column("founder_key", "bigint", "Surrogate key of the identifier it was minted from", required=True),
        Column("ordinal", "int", "How many ids this founder had minted before", required=True),
        Column("identifiers", "bigint", "Identifiers it holds now", required=True),
    ),
    checks=(Check("merged_points_on", "status <> 'merged' OR merged_into IS NOT NULL"),),
)

HOMES = Table(
    layer="identity",
    name="homes",
    doc="The OneID under which each identifier was first placed.",
    grain="one identifier",
    key=("identifier_key",),
    columns=columns(
        Column("identifier_key", "bigint", "Surrogate key of the identifier", required=True),
        Column("home", "string", "OneID under which it was first placed", required=True),
    ),
    checks=(Check("has_home", "length(home) > 0"),),
)

ONEID_CHANGES = Table(
    layer="identity",
    name="oneid_changes",
    doc="History of OneIDs: what changed, when, why and in which run.",
    grain="one change of one run",
    key=("run_id", "seq"),
    published=True,
    columns=columns(
        Column("run_id", "string", "Run", required=True),
        Column("seq", "bigint", "Order inside the run", required=True),
        Column("as_of", "date", "Business day of the run", required=True),
        Column("change", "string", "mint, merge, split, move or retire", required=True),
        Column("one_id", "string", "OneID that changed", required=True),
        Column("others", "array<string>", "Other OneIDs involved, sorted"),
        Column(
            "identifiers", "array<string>", "Identifiers that moved, namespace:scope:value, sorted", pii="pseudonym"
        ),
        Column("cause", "string", "Observation, rule, decision or configuration that caused it", required=True),
    ),
    checks=(Check("known_change", "change IN ('mint','merge','split','move','retire')"),),
)

STEWARD_DECISIONS = Table(
    layer="identity",
    name="steward_decisions",
    doc="Decisions of stewards, which outrank evidence until revoked.",
    grain="one decision",
    key=("decision_id",),
    columns=columns(
        Column("decision_id", "string", "Decision", required=True),
        Column("kind", "string", "must_link, cannot_link or detach", required=True),
        Column(
            "a",
            "string",
            "Identifier, namespace:scope:value with tokens for personal data",
            pii="pseudonym",
            required=True,
        ),
        Column("b", "string", "Second identifier; null for detach", pii="pseudonym"),
        Column("detached_from", "array<string>", "Cluster the identifier was detached from, sorted", pii="pseudonym"),
        Column("actor", "string", "Who decided", required=True),
        Column("reason", "string", "Why, without phone numbers and mail addresses", required=True),
        Column("as_of", "date", "Business day of the decision", required=True),
        Column("revoked_as_of", "date", "Business day of its revocation"),
        Column("revoked_by", "string", "Who revoked it"),
        Column("revoked_reason", "string", "Why it was revoked"),
    ),
    schema_version=2,
    checks=(Check("known_kind", "kind IN ('must_link','cannot_link','detach')"),),
)

HUBS = Table(
    layer="identity",
    name="hubs",
    doc="Identifiers that link to more accounts than a person has; all their links are suspended.",
    grain="one hub",
    key=("identifier_key",),
    columns=columns(
        Column("identifier_key", "bigint", "Surrogate key", required=True),
        IDENTIFIER,
        Column("partners", "bigint", "Distinct partners inside the window", required=True),
        Column("since", "date", "Business day of the run that found it", required=True),
    ),
    checks=(Check("has_partners", "partners > 0"),),
)

REVIEW_QUEUE = Table(
    layer="identity",
    name="review_queue",
    doc="What a steward should look at, with the evidence for and against.",
    grain="one question",
    key=("kind", "identifier", "candidate_key"),
    columns=columns(
        Column("kind", "string", "contested, staff_phone, recipient, held or rival_claim", required=True),
        Column(
            "identifier", "string", "namespace:scope:value, tokens for personal data", pii="pseudonym", required=True
        ),
        Column("candidate_key", "string", "Digest of the candidates", required=True),
        Column("candidates", "array<string>", "Candidate OneIDs, sorted"),
        Column("evidence", "string", "Evidence as JSON", required=True),
        Column("as_of", "date", "Business day of the run that asked", required=True),
    ),
    checks=(Check("known_kind", "kind IN ('contested','staff_phone','recipient','held','rival_claim')"),),
)

REPORT = Table(
    layer="identity",
    name="report",
    doc="The report of each stitching run as figures.",
    grain="one figure of one run",
    key=("run_id", "metric", "dimension"),
    columns=columns(
        Column("run_id", "string", "Run", required=True),
        Column("as_of", "date", "Business day of the run", required=True),
        Column("metric", "string", "Figure", required=True),
        Column("dimension", "string", "What it is broken down by; empty for a total", required=True),
        Column("value", "double", "Value", required=True),
    ),
    checks=(Check("has_metric", "length(metric) > 0"),),
)

_STATED = "array<struct<namespace:string,scope:string,value:string,role:string,linking:boolean,key:bigint>>"

CLAIMS = Table(
    layer="identity",
    name="claims",
    doc="Claims of platform orders with what became of them: a confirmed one links claimant and buyer.",
    grain="one claim",
    key=("claim_scope", "claim_id"),
    columns=columns(
        Column("claim_id", "string", "Claim number", required=True),
        Column("order_key", "string", "platform:order number", required=True),
        Column("verdict", "string", "link, none or review", required=True),
        Column("rule", "string", "Rule that decided: approved, mask_agrees, pending, rejected, ...", required=True),
        Column("claimant", _STATED, "Identifiers of the claimant", pii="pseudonym"),
        Column("buyer", _STATED, "Identifiers of the order's buyer", pii="pseudonym"),
        Column("event_ms", "bigint", "When it was claimed, UTC epoch ms", required=True),
        Column("interval", "date", "Arrival interval of the claim's present state", required=True),
        Column("claim_scope", "string", "As in silver.order_claims", required=True),
    ),
    checks=(Check("known_verdict", "verdict IN ('link','none','review')"),),
    schema_version=2,
)

TABLES: tuple[Table, ...] = (
    EDGES,
    REJECTIONS,
    ONEID_MAP,
    ONEIDS,
    HOMES,
    ONEID_CHANGES,
    STEWARD_DECISIONS,
    HUBS,
    REVIEW_QUEUE,
    CLAIMS,
    REPORT,
)
