"""What a machine needs before the first run: a suitable Java and the Delta jars."""
