"""A real daemon in a process of its own, and all that can happen to it: issue by issue what is promised of it."""
