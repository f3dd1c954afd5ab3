"""The migration onto the cloud: stages, rules of counting, rates, targets, waves, bulletins."""
