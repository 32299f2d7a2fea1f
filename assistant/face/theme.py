"""How the pages look."""

from __future__ import annotations

FONT = ("system-ui", "sans-serif")
CSS = """
#verdict { padding: 2px 4px; font-size: 15px; line-height: 1.5; overflow-wrap: anywhere; }
#verdict .badge { padding: 2px 10px; border-radius: 6px; margin-right: 8px; font-weight: 600; }
#verdict .defect, #verdict .error { background: #be1928; color: #fff; }
#verdict .review { background: #f0b414; color: #000; }
#verdict .good { background: #00725c; color: #fff; }
#verdict small { display: block; margin-top: 4px; opacity: 0.75; font-size: 13px; }
#overlay { min-height: 160px; }
#overlay img { max-height: 430px; object-fit: contain; }
#questions { gap: 6px; flex-wrap: wrap; }
#questions button { flex: 1 1 auto; min-width: 0; }
footer { opacity: 0.6; }
"""
