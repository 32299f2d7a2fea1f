"""The JSON of sign-offs: what a person decided about a part, and how far verdicts agree."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from assistant.records.agreement import LONGEST_REASON, LONGEST_SIGNER, Agreement, Decision, Tally

SignerName = Annotated[str, Field(min_length=1, max_length=LONGEST_SIGNER)]

_SIGN_OFF: dict[str, Any] = {
    "id": 7,
    "decision": "good",
    "reason": "scratch within tolerance",
    "name": "eva",
    "actor": "key line-3",
    "created": "2026-03-01T09:10:00Z",
    "withdrawn": None,
    "withdrawn_by": "",
}
_AGREEMENT: dict[str, Any] = {
    "defect": {"inspected": 40, "good": 2, "defect": 3},
    "review": {"inspected": 12, "good": 7, "defect": 2},
    "unrated": {"inspected": 0, "good": 0, "defect": 0},
    "good": {"inspected": 500, "good": 0, "defect": 0},
    "error": {"inspected": 0, "good": 0, "defect": 0},
    "overkill": 2,
    "escapes": 0,
    "described": "12 in review, 9 signed off: 7 good, 2 defect; 40 called defect, 5 signed off: "
    "2 good (overkill), 3 defect.",
}


class SignOffBody(BaseModel):
    """What a person decides about a part, and why. `name`: who, by default the name of the key."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"decision": "good", "reason": "scratch within tolerance", "name": "eva"}]
        },
    )
    decision: Decision
    reason: Annotated[str, Field(min_length=1, max_length=LONGEST_REASON)]
    name: SignerName | None = None


class SignOffRow(BaseModel):
    """A person's decision about a part. `name` decided, `actor` sent it; `withdrawn` is when it was taken back."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SIGN_OFF]})
    id: int
    decision: Decision
    reason: str
    name: str
    actor: str
    created: datetime
    withdrawn: datetime | None = None
    withdrawn_by: str = ""


class SignOffRows(BaseModel):
    """All sign-offs of a part, oldest first, and the one that counts: the newest that was not withdrawn."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"sign_off": _SIGN_OFF, "sign_offs": [_SIGN_OFF]}]})
    sign_off: SignOffRow | None
    sign_offs: list[SignOffRow]


class AgreementRow(BaseModel):
    """How many parts of each verdict were inspected and signed off as what.

    `overkill`: verdicts "defect" that were signed off as good. `escapes`: verdicts "good" that were signed off as
    defects.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_AGREEMENT]})
    defect: Tally
    review: Tally
    unrated: Tally
    good: Tally
    error: Tally
    overkill: int
    escapes: int
    described: str

    @classmethod
    def of(cls, agreement: Agreement) -> AgreementRow:
        """An agreement as it is sent."""
        return cls.model_validate(agreement.to_dict())
