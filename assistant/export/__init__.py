"""Writes a product as one graph that other runtimes run, with a card and runners."""
