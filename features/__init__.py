"""Features and tags: what is declared about people, and how declarations become columns."""
