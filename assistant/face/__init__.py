"""The places of the browser front end: widgets around an `Inspector`. `app.py` puts them together."""
