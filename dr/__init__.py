"""Disaster recovery: backups that are proved, plans, drills and failovers. Room is left; nothing is here yet."""
