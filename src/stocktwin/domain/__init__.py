"""The field's words in plain Python: identities, quantities, time, policies, errors. Standard library only."""
