"""What schedulers run, made from the catalog, and thin definitions that read it."""
