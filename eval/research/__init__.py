"""Studies that were run once for a page of `docs/`; they run from a checkout and are not installed."""
