"""One file a step. What has shipped is never changed: a store somewhere has it behind it."""
