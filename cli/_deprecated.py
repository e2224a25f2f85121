"""Former spellings of commands: they still work, and a warning names the new command."""

from __future__ import annotations

import re

from ._console import say


def new_command(args: list[str]) -> list[str]:
    """Return the arguments of the command that does what former ones did."""
    command, words = args[0], args[1:]
    if "--help" in words:
        return args
    if command == "fit" and _trains_sampler(words):
        _warn("augan fit --target without --normal", "augan fit-sampler")
        return ["fit-sampler", *_without_value("--method", "f-anogan", words)]
    for old, option, new in (
        ("sample", "--balance", "balance"),
        ("evaluate", "--augmentation", "evaluate-augmentation"),
        ("evaluate", "--generative", "evaluate-generator"),
    ):
        if command == old and _has(option, words):
            _warn(f"augan {old} {option}", f"augan {new}")
            renamed = [re.sub("^--judge(?==|$)", "--feature-extractor", word) for word in words]
            return [new, *_as_argument(option, renamed)]
    return args


def _trains_sampler(words: list[str]) -> bool:
    """Whether `augan fit` formerly trained a sampler: with --target, and no detector's option."""
    rest = _without_value("--method", "f-anogan", words)
    of_detectors = ("--normal", "--method", "--holdout", "--id", "--skip-bad", "--resume")
    return _has("--target", rest) and not any(_has(option, rest) for option in of_detectors)


def _warn(old: str, new: str) -> None:
    say(f"augan: warning: '{old}' is deprecated, use '{new}'")


def _has(option: str, words: list[str]) -> bool:
    return any(word == option or word.startswith(f"{option}=") for word in words)


def _as_argument(option: str, words: list[str]) -> list[str]:
    """Return the words with an option's value as the last argument."""
    place = next(i for i, word in enumerate(words) if word.partition("=")[0] == option)
    _, joined, value = words[place].partition("=")
    if joined:
        return [*words[:place], *words[place + 1 :], value]
    return [*words[:place], *words[place + 2 :], *words[place + 1 : place + 2]]


def _without_value(option: str, value: str, words: list[str]) -> list[str]:
    """Return the words without an option, if it has this value."""
    words = [word for word in words if word != f"{option}={value}"]
    for place in range(len(words) - 1):
        if words[place : place + 2] == [option, value]:
            return words[:place] + words[place + 2 :]
    return words
