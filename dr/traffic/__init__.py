"""What brings people to a site: shares of a name, changed step by step under rules, and watched."""
