"""Disaster recovery: backups that are proved, plans, drills and failovers (room is left; later issues fill it)."""
