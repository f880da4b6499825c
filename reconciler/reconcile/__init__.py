"""The flow on one screen: source, decode, validate, snapshot, plan, store, ledger, through ports only."""
