"""API keys with scopes, restrictions, expiry and revocation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The table `api_keys` exists."""
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.String(16), primary_key=True, comment="Public part of the key"),
        sa.Column("name", sa.String(120), nullable=False, comment="Who uses it"),
        sa.Column("secret_hash", sa.String(200), nullable=False, comment="argon2id of the secret"),
        sa.Column("scopes", sa.JSON, nullable=False, comment="What it may do, sorted list"),
        sa.Column("restrict", sa.JSON, nullable=False, comment="Whom it may see; empty: everyone"),
        sa.Column("rate_per_minute", sa.Integer, nullable=True, comment="Own request limit; null: the API's"),
        sa.Column("created_ms", sa.BigInteger, nullable=False, comment="UTC epoch ms"),
        sa.Column("expires_ms", sa.BigInteger, nullable=False, comment="UTC epoch ms"),
        sa.Column("revoked_ms", sa.BigInteger, nullable=True, comment="UTC epoch ms; null while in force"),
    )


def downgrade() -> None:
    """The table `api_keys` does not exist."""
    op.drop_table("api_keys")
