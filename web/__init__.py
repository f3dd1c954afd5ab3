"""Portal pages and REST API: asks use cases, decides nothing."""
