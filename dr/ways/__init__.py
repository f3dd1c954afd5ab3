"""Ways in which data gets to the other site other than recovery points."""
