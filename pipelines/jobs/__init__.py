"""The steps of a run, s1 to s7: what comes in, what becomes of it, what is published."""
