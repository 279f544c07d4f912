"""What the serving snapshot reads from the pinned tables, as DuckDB SQL over views named `<layer>_<table>`."""

from __future__ import annotations

from pipelines.jobs.refund_shops import REFUNDS_SQL
from pipelines.sources.refunds import SUPERSEDED

OWNED = "(SELECT identifier_key, one_id FROM identity_oneid_map WHERE valid_to IS NULL AND one_id IS NOT NULL)"

ONEIDS = "SELECT one_id, status, minted_at, merged_into FROM identity_oneids ORDER BY one_id"

MAP = """
SELECT m.identifier_key, m.namespace, m.scope, m.value, m.one_id, m.status, m.valid_from, m.valid_to, m.first_seen,
       m.last_seen, m.candidates, k.display
FROM identity_oneid_map m LEFT JOIN masks k ON m.namespace = 'phone' AND m.value = k.token
ORDER BY m.identifier_key, m.valid_from NULLS FIRST
"""

FEATURES = "SELECT * EXCLUDE (definition) FROM features_customer_features ORDER BY one_id"

TAGS = "SELECT one_id, tag, value, as_of, reason FROM features_customer_tags ORDER BY one_id, tag"

PHONES = "SELECT token, cipher FROM silver_pii_vault WHERE kind = 'phone' ORDER BY token"

ALIASES = """
SELECT form.namespace, form.value, token
FROM (SELECT token, unnest(forms) AS form FROM silver_pii_vault WHERE kind = 'phone') ORDER BY ALL
"""

REFUNDED = f"""(
SELECT platform, shop_id, order_id, sum(amount_fen) AS refunded_fen FROM {REFUNDS_SQL} WHERE status = 'success'
GROUP BY ALL)"""

ORDERS = f"""
SELECT o.platform, o.shop_id, o.order_id, m.one_id, o.status, o.is_paid, o.is_internal,
       coalesce(o.paid_fen, 0) AS paid_fen,
       coalesce(r.refunded_fen, 0)::BIGINT AS refunded_fen, coalesce(o.paid_at, o.created_at) AS at_ms
FROM silver_orders o LEFT JOIN {OWNED} m ON o.subject_key = m.identifier_key
LEFT JOIN {REFUNDED} r USING (platform, shop_id, order_id)
ORDER BY o.platform, o.shop_id, o.order_id
"""

LATER = "(c.stated_at, c.consent_id, c.status, c.consent_scope)"

CONSENTS = f"""
SELECT one_id, purpose, CASE WHEN bool_or(status = 'withdrawn') THEN 'withdrawn' ELSE 'granted' END AS status,
       max(stated_at) AS stated_at, max_by(source, stated_at) AS source, count(DISTINCT status) > 1 AS conflict
FROM (
  SELECT m.one_id, c.purpose, c.subject_key, max_by(c.status, {LATER}) AS status,
         max(c.stated_at) AS stated_at, max_by(c.source, {LATER}) AS source
  FROM silver_consents c JOIN {OWNED} m ON c.subject_key = m.identifier_key GROUP BY ALL
) GROUP BY one_id, purpose ORDER BY one_id, purpose
"""

ACCESS = f"""
SELECT one_id, 'brand' AS dimension, brand AS value FROM (
  SELECT one_id, scope AS brand FROM identity_oneid_map
  WHERE valid_to IS NULL AND one_id IS NOT NULL AND namespace IN (SELECT namespace FROM own_scopes)
  UNION
  SELECT m.one_id, b.brand FROM identity_oneid_map m JOIN brand_scopes b USING (namespace, scope)
  WHERE m.valid_to IS NULL AND m.one_id IS NOT NULL
  UNION
  SELECT m.one_id, b.brand FROM silver_orders o JOIN brand_shops b USING (platform, shop_id)
  JOIN {OWNED} m ON o.subject_key = m.identifier_key
)
UNION ALL
SELECT DISTINCT m.one_id, 'guide', concat_ws('|', f.corp_id, f.userid)
FROM silver_contact_follows f JOIN {OWNED} m ON f.subject_key = m.identifier_key WHERE f.status = 'active'
ORDER BY ALL
"""
"""Who may be seen by keys restricted to a brand or guide: those known to the brand's accounts, and a guide's friends
as long as they are friends; a guide is written as in gold.dim_staff, since two corps may have the same userid."""

TIMELINE = f"""
SELECT one_id, at_ms, kind, ref, source, amount_fen, detail FROM (
  SELECT m.one_id, coalesce(o.paid_at, o.created_at) AS at_ms, 'order' AS kind,
         concat_ws(':', o.platform, o.shop_id, o.order_id) AS ref, o.platform AS source, o.paid_fen AS amount_fen,
         json_object('status', o.status, 'origin', o.channel_origin)::VARCHAR AS detail
  FROM silver_orders o JOIN {OWNED} m ON o.subject_key = m.identifier_key
  UNION ALL
  SELECT m.one_id, coalesce(r.success_at, r.applied_at, r.updated_at), 'refund',
         concat_ws(':', r.platform, r.shop_id, r.refund_id), r.platform, r.amount_fen,
         json_object('status', r.status, 'order', r.order_id, 'type', r.refund_type)::VARCHAR
  FROM {REFUNDS_SQL} r JOIN silver_orders o USING (platform, shop_id, order_id)
  JOIN {OWNED} m ON o.subject_key = m.identifier_key WHERE r.status <> '{SUPERSEDED}'
  UNION ALL
  SELECT m.one_id, e.event_at, 'event', e.event_id, e.source, NULL,
         json_object('event', e.event, 'page', e.url_path, 'scene', e.scene)::VARCHAR
  FROM silver_events e JOIN {OWNED} m ON e.subject_key = m.identifier_key
  UNION ALL
  SELECT m.one_id, p.moved_at, 'points', concat_ws(':', p.source, nullif(p.record_scope, ''), p.record_id),
         p.source, NULL,
         json_object('points', p.points, 'reason', p.reason)::VARCHAR
  FROM silver_points_ledger p JOIN {OWNED} m ON p.subject_key = m.identifier_key
  UNION ALL
  SELECT m.one_id, f.added_at, 'relation', concat_ws(':', f.corp_id, f.external_userid, f.userid, 'added'),
         'wecom', NULL,
         json_object('guide', f.userid, 'way', f.add_way, 'state', f.state)::VARCHAR
  FROM silver_contact_follows f JOIN {OWNED} m ON f.subject_key = m.identifier_key
  UNION ALL
  SELECT m.one_id, f.ended_at, 'relation', concat_ws(':', f.corp_id, f.external_userid, f.userid, 'ended'),
         'wecom', NULL,
         json_object('guide', f.userid, 'status', f.status)::VARCHAR
  FROM silver_contact_follows f JOIN {OWNED} m ON f.subject_key = m.identifier_key
) WHERE at_ms IS NOT NULL ORDER BY one_id, at_ms, kind, ref
"""
