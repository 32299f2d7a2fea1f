"""The database of the store: where it is, how it is opened, its tables, and how their schema moves up."""
