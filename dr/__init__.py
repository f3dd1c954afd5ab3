"""Disaster recovery: backups that are proved, kept where nobody can change them, and brought back.

`points` is their bytes in a vault; the flows here make, prove, restore and expire them (`*_flow.py`).
"""
