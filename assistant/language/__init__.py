"""Words about an inspection: every answer cites the evidence, and none can change it."""

from assistant.language.template import answer, explain

__all__ = ["answer", "explain"]
