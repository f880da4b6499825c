"""What `/metrics` tells: counters of what happened, and how the host stands at the moment of a scrape.

A `Meter` belongs to one daemon and knows no other: nothing here is shared by a process. Its parts are told what
happened by whoever put the daemon together (`wiring/metering.py`); nothing below knows of them. Moments are monotonic
seconds, so that no change of the clock makes an age jump. docs/metrics.md lists every metric.
"""
