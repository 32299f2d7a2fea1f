"""Loops that fit what is learned on top of a frozen tower, and the pictures and questions they learn from."""
