"""Agents beside the writers of a system: they let them write only while the register says so."""
