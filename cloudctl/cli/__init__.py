"""The `cloudctl` command: one module per noun, each a thin verb over the REST API."""
