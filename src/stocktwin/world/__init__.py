"""The reference world: a hidden truth that emits the feeds of its systems (demo, tests, benchmarks)."""
