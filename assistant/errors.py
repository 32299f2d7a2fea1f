"""The errors a user can cause, each with one plain sentence as its message.

Everything else that goes wrong is a bug and keeps its own type and traceback. Sentences stay English where they
are made and kept; `assistant.language.retelling` tells them in other languages by the code that makes them: the
messages of errors, and what is marked by `told`.
"""

from __future__ import annotations

from collections.abc import Sequence


class LooktwiceError(Exception):
    """Base of every error that is the input's fault and not the program's."""


class NothingToInspect(LooktwiceError):
    """A folder in which no picture is: the request makes sense, and there is nothing to do."""


class ImageError(LooktwiceError):
    """A picture that cannot be read, or may not be."""


class WeightsError(LooktwiceError):
    """A bundle or one of its parts that is unknown, missing or damaged."""


class ProductError(LooktwiceError):
    """A product profile with a bad name, that is missing, damaged, or does not fit the bundle."""


class CalibrationError(LooktwiceError):
    """A threshold that cannot be worked out from what was given."""


class TrainingError(LooktwiceError):
    """Pictures that a detector cannot be trained from, or a training run that does not fit them."""


class ExplainerError(LooktwiceError):
    """A language model cannot be loaded, reached or understood."""


class AuditError(LooktwiceError):
    """An entry of the audit log that cannot be written or read; the change that it would record is refused."""


class HistoryError(LooktwiceError):
    """A history that cannot be opened, read or written, or has not what was asked for."""


class ProcessError(LooktwiceError):
    """Models that another process loaded: a forked one cannot use them, and none can be sent them."""


class LineError(LooktwiceError):
    """A line that cannot be watched, a sink that cannot be used, or a journal that cannot be read or written."""


class HistoryFault(HistoryError):
    """A history that is away, locked or damaged: whoever asks is not to blame, and may ask again."""


MOST_NAMED = 12
"""Names that a sentence lists."""


def unknown_name(kind: str, name: str, known: Sequence[str]) -> str:
    """The sentence about a name that is not among the known ones: the nearest of them, or else which there are."""
    import difflib

    by_letters = {one.casefold(): one for one in reversed(known)}
    near = difflib.get_close_matches(name[:80].casefold(), by_letters, n=3, cutoff=0.6)
    match [by_letters[one] for one in near]:
        case [first]:
            return told(f"There is no {kind} {name[:80]!r}. Did you mean '{first}'?")
        case [first, second]:
            return told(f"There is no {kind} {name[:80]!r}. Did you mean '{first}' or '{second}'?")
        case [first, second, third]:
            return told(f"There is no {kind} {name[:80]!r}. Did you mean '{first}' or '{second}' or '{third}'?")
    if not known:
        return told(f"There is no {kind} {name[:80]!r}; the {kind}s are: none yet.")
    listed, more = ", ".join(known[:MOST_NAMED]), len(known) - MOST_NAMED
    if more > 0:
        return told(f"There is no {kind} {name[:80]!r}; the {kind}s are: {listed} and {more} more.")
    return told(f"There is no {kind} {name[:80]!r}; the {kind}s are: {listed}.")


def told(sentence: str) -> str:
    """The same sentence: marks one that is kept in English and shown in the language of whoever reads it."""
    return sentence


FAULTS = (
    told("an error"),
    told("an output error"),
    told("no space left on device"),
    told("permission denied"),
    told("operation not permitted"),
    told("read-only file system"),
    told("no such file or directory"),
    told("file name too long"),
    told("is a directory"),
    told("not a directory"),
    told("input/output error"),
    told("too many open files"),
    told("disk quota exceeded"),
    told("database is locked"),
    told("database or disk is full"),
    told("database disk image is malformed"),
    told("disk I/O error"),
    told("file is not a database"),
    told("attempt to write a readonly database"),
    told("unable to open database file"),
)
"""What systems say most often about files and databases, where it fills a sentence that is told again."""
