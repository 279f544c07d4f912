"""Records of the usual form on the short way from their line to staged rows.

Most lines of a great feed hold one record that says nothing but its row: nothing of it is unknown, refused or personal,
and what it says of identities its batch has said before. Such a line takes half the time without the objects by which
a record is judged, parsed and shaped. Whatever is not so, or not certainly so, takes the whole way, which decides; the
rules, and so the rows, are the same functions on both.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from pipelines.jobs.records import UNREADABLE, digest_of
from pipelines.jobs.shaping import Shaper
from pipelines.jobs.wrapper import has_secret, wrapped_context
from pipelines.sources.base import Context, FeedParser, PlainReading, RecordRefusedError, Settings
from pipelines.tables import ALL

_OPENED = b'{"context":{'
_PAYLOAD = b',"payload":'
_CONTEXT_AT = len(b'{"context":')
_SUBJECT = ("subject_namespace", "subject_scope", "subject_value", "subject_key")
_LINEAGE = ("feed", "interval", "record_hash", "rescued")
_NOBODY = (None, None, None, None)


class PlainRecord(NamedTuple):
    """A record as it goes to bronze, and its row in the order of its table's columns."""

    payload: bytes
    digest: str
    context: Context
    context_json: str
    row: tuple[Any, ...]


class PlainRecords:
    """Reads the plain records of a feed and interval, batch after batch of them."""

    def __init__(
        self, parser: FeedParser, plain: PlainReading, settings: Settings, shaper: Shaper, interval: str
    ) -> None:
        self.table = plain.table
        self._parser = parser
        self._plain = plain
        self._settings = settings
        self._shaper = shaper
        self._interval = interval
        given = [*plain.columns, *_SUBJECT, *_LINEAGE, "absent"]
        order = [given.index(name) if name in given else -1 for name in ALL[plain.table].column_names]
        self._in_order = itemgetter(*order)

    def read(self, raw: bytes) -> PlainRecord | None:
        """The plain record of a landing line; None where the line has to take the whole way."""
        head, _, rest = raw.partition(_PAYLOAD)
        payload = rest[:-1]
        if not head.startswith(_OPENED) or rest[:1] != b"{" or rest[-2:] != b"}}" or has_secret(raw):
            return None
        try:
            known = wrapped_context(head[_CONTEXT_AT:], self._parser.feed, self._settings, self._interval)
            value = orjson.loads(payload)
            digest = digest_of(value, known[0], self._parser, self._shaper.keys.pepper)
            found = self._plain.read(value, known[0], self._settings, digest)
        except (RecordRefusedError, *UNREADABLE):
            return None
        if found is None:
            return None
        row, subject, observations = found
        if not self._shaper.has_observed(observations):
            return None
        if subject is not None and subject.namespace == "phone":
            return None
        named = subject and self._shaper.named(subject)
        lineage = (self._parser.feed, self._interval, digest, None, None)
        return PlainRecord(payload, digest, *known, self._in_order(row + (named or _NOBODY) + lineage))
