"""looktwice."""
