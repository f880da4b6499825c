"""Rules written in SQL: a file to a policy, a verdict to problems. What runs them is a port."""
