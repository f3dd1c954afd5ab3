"""Departments' buckets as members of policies: listed, copied, proved and brought back as of a time."""
