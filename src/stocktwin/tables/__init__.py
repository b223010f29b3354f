"""Columns: schemas, codes (identity ↔ dense integer), snapshots, ragged histories."""
