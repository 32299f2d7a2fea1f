"""Who sends a request: what the header with the key says, asked before anything else of a request is taken."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.service.keys import KeyRing, Role
from assistant.service.problems import Problem

_ASK = {"WWW-Authenticate": "Bearer"}


@dataclass(frozen=True)
class Caller:
    """Who sent a request: the id and the name of the key, and its role; neither where no key is asked for."""

    id: str
    name: str
    role: Role

    @property
    def actor(self) -> str:
        """Who it is, for the audit log."""
        return f"key {self.name}" if self.name else "service without keys"


LOCAL = Caller("", "", "engineer")
"""Everybody, where no key is asked for."""


def identify(keys: KeyRing | None, authorization: str | None) -> Caller:
    """The caller by the header `Authorization`; Problem where a key is asked for and no valid one comes."""
    if keys is None or not keys.required:
        return LOCAL
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Problem(401, "Send a key as `Authorization: Bearer KEY`", _ASK)
    key = keys.find(token.strip())
    if key is None:
        raise Problem(401, "This key is not valid", _ASK)
    return Caller(key.id, key.name, key.role)
