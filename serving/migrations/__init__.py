"""Migrations of the operational store, applied by Alembic."""
