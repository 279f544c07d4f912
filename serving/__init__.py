"""Serving: published snapshots and the API that answers from them; imports the pure identity rules only."""
