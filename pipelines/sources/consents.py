"""Consents given and withdrawn: `{"consent_id", "subject": {"namespace", "scope", "value"}, "purpose",
"status": "granted|withdrawn", "at", "source"}`; every record is kept, and its subject counts as seen. The id counts
within the brand of the context."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.sources.base import Context, FeedParser, Parsed, Record, RecordRefusedError, version_key
from pipelines.sources.categories import as_object, known_code
from pipelines.sources.fields import identifier, required, text
from pipelines.sources.pages import split_pages
from pipelines.sources.shape import Shape
from pipelines.sources.sightings import brand_record, moment, observe_subject, read_subject

FEED = "consents"
STATES = {"granted": 0, "withdrawn": 1}
"""What a consent can say; of two records with one number and time, the withdrawal counts."""

SHAPE = Shape("consent", ["consent_id", "subject", "purpose", "status", "at", "source"])


def split(payload: bytes, context: Context) -> Sequence[bytes]:
    """A consent is one record."""
    return split_pages(payload, [])


def parse(record: Record) -> Parsed:
    """One consent record. A status that is neither is refused: consent is never guessed."""
    value = as_object(record.value, "consent")
    parsed = Parsed(unknown=SHAPE.unknown(value, record.settings.ignored))
    consent_id = required(identifier(value.get("consent_id")), "consent_id")
    subject = read_subject(value.get("subject"), "subject")
    status = required(text(value.get("status")), "status").lower()
    if status not in STATES:
        raise RecordRefusedError("bad_value", f"status: expected one of {', '.join(STATES)}")
    at_ms = moment(value.get("at"), "at")
    if at_ms is None:
        raise RecordRefusedError("missing_field", "at is required and was absent or empty")
    purpose = required(text(value.get("purpose")), "purpose")
    parsed.row(
        "silver.consents",
        consent_scope=record.context.brand,
        consent_id=consent_id,
        subject=subject,
        purpose=known_code(parsed, record.settings, "purpose", purpose, path="purpose"),
        status=status,
        stated_at=at_ms,
        source=text(value.get("source")),
        version_key=version_key(at_ms, record.digest, rank=STATES[status]),
    )
    about = brand_record("consent", record.context, f"{consent_id}:{at_ms}")
    observe_subject(parsed, record.context, about, subject, at_ms)
    return parsed


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed=FEED,
        source="consents",
        split=split,
        parse=parse,
        tables=("silver.consents",),
        hash_context=("brand",),
    ),
)
