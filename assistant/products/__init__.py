"""Products: what is learned from good parts, taught, kept, undone and put on record."""
