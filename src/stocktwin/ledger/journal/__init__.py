"""The journal: the only authority. One protocol, SQLite and in-memory stores, one shared test suite."""
