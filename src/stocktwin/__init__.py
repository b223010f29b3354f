"""Stocktwin."""
