"""What the ledger's rows say about the past: changes, states, and who set what. Pure."""
