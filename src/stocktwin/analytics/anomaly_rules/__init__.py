"""The rules that find anomalies, one file per family; each is a function from facts to findings."""
