"""Reads that need more than one condition on one table; the only place beside the store that speaks SQL."""
