"""Side-by-side measurements against what people would use instead."""
