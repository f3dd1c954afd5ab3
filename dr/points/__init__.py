"""Recovery points as bytes in a vault: sealing, heads, manifests, replication, checks, healing, reading back.

Knows no database: what it needs comes in as values, what it learns goes out as values. docs/adr/0010.
"""
