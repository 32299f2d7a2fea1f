"""From features to a decision: anomaly maps, the one score rule, limits, and regions."""
