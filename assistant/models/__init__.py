"""Model bundles: their cards, the cache, the towers, what runs them, and what was trained for them."""
