"""What keeps a store in order: looking it through, carrying it elsewhere, and removing what is old."""
