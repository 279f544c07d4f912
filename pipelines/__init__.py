"""The platform's batch side: command line, tables, parsers, jobs, store and simulator."""
