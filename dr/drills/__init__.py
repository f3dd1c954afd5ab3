"""Drills: a plan is rehearsed at the recovery site, cut off from everything, and taken away again."""
