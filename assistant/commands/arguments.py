"""Arguments as people write them, brought into the form that the parser takes."""

from __future__ import annotations

from collections.abc import Callable


def spread_numbers(arguments: list[str], option: str = "--shots") -> list[str]:
    """The arguments with `--shots 0 1 4` written as `--shots 0 --shots 1 --shots 4`, as the parser wants it."""
    return _spread(arguments, (option,), str.isdigit)


PATHS = {"teach": ("--good", "--defect"), "check": ("--good", "--bad", "--references"), "recalibrate": ("--from",)}
"""The options of each command that take several paths."""


def spread_paths(arguments: list[str]) -> list[str]:
    """The arguments with `--good a b` written as `--good a --good b`, where a command has such options."""
    options = PATHS.get(arguments[0] if arguments else "", ())
    return _spread(arguments, options, lambda argument: not argument.startswith("-"))


def renew(arguments: list[str], say: Callable[[str], None]) -> list[str]:
    """The arguments in this release's words: `--mode batch` and `--batch-size` are accepted until the next one.

    `say` hears a sentence where the mode was renamed.
    """
    renewed: list[str] = []
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if option == "--batch-size":
            argument = f"--at-once{equals}{value}"
        elif (renewed[-1:] == ["--mode"] and argument == "batch") or argument == "--mode=batch":
            say("Mode batch is called mutual now: write --mode mutual.")
            argument = argument.replace("batch", "mutual")
        renewed.append(argument)
    return renewed


def _spread(arguments: list[str], options: tuple[str, ...], is_value: Callable[[str], bool]) -> list[str]:
    """The arguments with each of these options repeated before every one of its values."""
    spread: list[str] = []
    inside = ""
    for argument in arguments:
        if argument in options:
            inside = argument
        elif not is_value(argument):
            inside = ""
        elif inside and spread[-1] != inside:
            spread.append(inside)
        spread.append(argument)
    return spread
