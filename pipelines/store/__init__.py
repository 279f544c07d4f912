"""The only readers and writers of the lake's tables, and the lock that keeps them to one at a time."""
