"""The REST service, `looktwice serve`: requests become calls of an `Inspector`, and Inspections become JSON."""
