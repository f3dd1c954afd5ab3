"""The 1+N as one file: read and checked whole, planned against the rows, applied in one transaction."""
