"""What breaks a ledger, done on purpose and counted: kills, power cuts, flipped bits, a full disk.

`benchmarks/faults.py` runs them at length, `tests/ledger/test_faults.py` a few of each.
"""
