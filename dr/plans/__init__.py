"""Protection plans: what is protected, whether that can be relied on, and what would be in the way."""
