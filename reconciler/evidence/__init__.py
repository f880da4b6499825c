"""What a host did as a chain that nobody can change unseen: entries, daily roots, and the program that checks both."""
