"""Says what is here, what works, and what to do about the rest: `looktwice doctor`.

`examine` tries every part for real, each apart from the others, on generated pictures and in a folder of its own.
"""

from __future__ import annotations

from assistant.doctor.examination import examine
from assistant.doctor.finding import Diagnosis, Finding

__all__ = ["Diagnosis", "Finding", "examine"]
