"""cloudctl's own database in the vaults: copied like everything else, proved, and brought back."""
