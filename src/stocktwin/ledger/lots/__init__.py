"""Lots: which batch lies where, which batch an unnamed issue drew, where a batch came from and went."""
