"""Working alone: what each site is told to be able to move systems to itself, and how that is merged."""
