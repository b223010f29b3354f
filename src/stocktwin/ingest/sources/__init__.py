"""Readers: bytes of a source → text columns with their positions."""
