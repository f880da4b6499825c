"""What a tree declares, and what the history made of it. Pure, incremental: cost follows the change."""
