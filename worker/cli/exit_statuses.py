"""
What the exit statuses mean: one table for `--help`, for the documentation and for the tests.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Every status that a command ends with by itself.
EXIT_STATUSES: Mapping[int, str] = {
    0: "done",
    1: "not all went well; the command's words say what",
    2: "wrong use, wrong settings or an invalid request; nothing was done",
    3: "RabbitMQ cannot be reached, refuses, is too old, or lacks our queues",
    4: "a queue or exchange exists with other arguments than ours",
    5: "the ledger cannot be opened or written",
    6: "the local set-up of `demo` cannot be started",
    7: "RabbitMQ does not serve the worker's consumer",
    130: "Ctrl-C",
}

_BROKER, _LEDGER, _QUEUES = 3, 5, 4
_ALWAYS = (0, 2, 130)
#: What each command can end with beside what every command can: None says it in the words above.
_OF_COMMANDS: Mapping[str, Mapping[int, str | None]] = {
    "run": {
        0: "SIGTERM or Ctrl-C; what was sent is finished",
        2: "wrong use or settings, or an HTTP port that is taken",
        _BROKER: "RabbitMQ cannot be reached at the start; later, after it has refused for five minutes",
        _QUEUES: "a queue has other arguments, or was replaced by one that has",
        _LEDGER: None,
        7: None,
    },
    "health": {0: "it is well", 1: "it is not, or does not answer"},
    "check": {
        0: "all well; there may be warnings",
        1: "installation, login, API, clock or certificate",
        2: "wrong use or settings",
        _BROKER: "broker",
        _QUEUES: "exchanges or queues are missing or differ",
        _LEDGER: "ledger",
    },
    "publish": {1: "not all was created, or not in time; with several, not all was confirmed", _BROKER: None},
    "watch": {0: "--count events were shown", _BROKER: None, 130: "Ctrl-C, the usual end"},
    "dead list": {_BROKER: None},
    "dead show": {1: "there is no such letter", _BROKER: None},
    "dead replay": {1: "letters were left", _BROKER: None, _LEDGER: None},
    "dead drop": {1: "not confirmed, so nothing was dropped", _BROKER: None},
    "requests list": {_LEDGER: None},
    "requests show": {1: "there is no such request", _LEDGER: None},
    "resolve": {1: "refused, or the cloud could not be asked", _BROKER: None, _LEDGER: None},
    "simulate": {0: "SIGTERM or Ctrl-C", 2: "wrong use, or the port cannot be had"},
    "demo": {1: "an order did not meet the fate it should have", _BROKER: None, 6: None},
    "schema": {1: "the folder cannot be written", 2: "there is no such file in the contract"},
    "settings": {2: "there is no such setting"},
    "topology plan": {},
    "topology diff": {0: "nothing differs", 1: "something is missing", _BROKER: None, _QUEUES: None},
    "topology apply": {_BROKER: None, _QUEUES: None},
}


def statuses_of(command: str) -> dict[int, str]:
    """
    What a command's exit statuses mean, in their order.

    Args:
        command: its words, such as `dead list`; one that is not known has what all have.
    """
    own = _OF_COMMANDS.get(command, {})
    numbers = sorted({*_ALWAYS, *own})
    return {number: own.get(number) or EXIT_STATUSES[number] for number in numbers}


def statuses_table() -> str:
    """
    All of them as a table of Markdown.
    """
    rows = [f"| {number} | {words} |" for number, words in EXIT_STATUSES.items()]
    return "\n".join(["| status | means |", "|---|---|", *rows])
