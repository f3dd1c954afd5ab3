"""What the ports are made of: OpenStack for real, and a fake that passes the same contract."""
