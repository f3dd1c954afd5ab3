"""The register of information systems: its fields, its files, its history."""
