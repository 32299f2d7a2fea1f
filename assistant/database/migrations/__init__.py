"""The migrations of a store, made by Alembic in the transaction of whoever opens it."""
