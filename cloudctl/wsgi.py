"""The web server's way in."""
