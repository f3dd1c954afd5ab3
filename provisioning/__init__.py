"""Makes, unmakes, adopts and watches what is on the clouds."""
