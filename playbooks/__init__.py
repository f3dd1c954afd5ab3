"""Ansible playbooks that cloudctl runs inside servers; README.md beside this file names their variables."""
