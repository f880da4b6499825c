"""New files for a config repository: what they hold and where they go. Pure: nothing is written here."""
