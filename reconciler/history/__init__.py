"""What the ledger says about the past: versions and points, what changed between them, pages of it. Pure."""
