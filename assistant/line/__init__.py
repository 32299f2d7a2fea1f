"""A line that runs by itself: what arrives is inspected once, and results are handed on until they are taken."""
