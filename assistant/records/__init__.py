"""What is kept of inspections: the history, runs that go on after a stop, and rows in files."""
