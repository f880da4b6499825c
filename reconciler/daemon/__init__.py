"""What keeps a host on its commit for months: a loop that compares what should be with what is.

Triggers carry no content: a watcher, a webhook and a request all say "look again", and the loop looks. One operation
runs at a time, on one thread, with a deadline.
"""
