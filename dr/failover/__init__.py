"""Moves of a system to the other site: planned, unplanned and back, one way of going for all of them.

The order of what is done is docs/model/failover.pml, which Spin checks, and docs/adr/0016.
"""
