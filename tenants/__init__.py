"""Who may have what: topology, departments, quota ledger, requests and approvals; never speaks to a cloud."""
