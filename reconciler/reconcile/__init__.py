"""Reconciling: source, decode, validate, snapshot, plan, store and ledger, through ports only."""
