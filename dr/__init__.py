"""Disaster recovery: backups that are proved, plans, drills, failovers. Room is left; nothing is here yet."""
