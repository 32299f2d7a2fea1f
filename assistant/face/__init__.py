"""The browser front end: four places (Inspect, Teach, Batch, History) that `app.py` puts on one page.

Of each place, `*_place` has the widgets and what they call, and `*_steps` what a visitor does there (`session` for
Inspect).
"""
