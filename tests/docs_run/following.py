"""
Follows a page as its reader does: makes its files, runs its commands in order, and notes where the page is wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.docs_run.comparing import difference
from tests.docs_run.needs import EXEMPT, LONG, Needs
from tests.docs_run.pages import Step, blocks_of, steps_of
from tests.docs_run.shell import Running, Shell, ShellError
from tests.docs_run.stage import Stage, set_up

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.docs_run.needs import Exempt
    from tests.docs_run.pages import Block

_SHOWN_LIMIT_S = 45.0
#: Where a command may begin in a line, behind variables of its own.
_BEGIN = r"(?:^|&& |; )(?:\w+=\S* )*"


def exemption(step: Step, exempt: Sequence[Exempt] = EXEMPT) -> Exempt | None:
    """
    Why a command is not run; None for one that is.
    """
    fits = (one for one in exempt if one.page in {"", step.page} and re.match(one.pattern, step.command))
    return next(fits, None)


def unused(steps: Iterable[Step], exempt: Sequence[Exempt] = EXEMPT) -> list[Exempt]:
    """
    The entries that no command needs.
    """
    used = {exemption(step, exempt) for step in steps}
    return [one for one in exempt if one not in used]


def ready_pattern(step: Step, needs: Needs) -> str | None:
    """
    What a command that runs until Ctrl-C writes once it works; None for one that ends.
    """
    long: Mapping[str, str] = {**needs.long, **LONG}
    return next((ready for pattern, ready in long.items() if re.search(_BEGIN + pattern, step.command)), None)


async def prepare(stage: Stage, needs: Needs, **values: str) -> None:
    """
    Makes of an empty stage what the page needs; `values` are filled in where the needs name them.
    """
    await set_up(stage, is_bare=needs.is_bare)
    for step in needs.prepare:
        await step(stage)
    known = {**values, "amqp_url": stage.amqp_url, "prefix": stage.prefix}
    known["api_url"] = stage.environ.get("VPN_WORKER_API_URL", "")
    stage.stand_ins |= {said: meant.format(**known) for said, meant in needs.stand_ins.items()}
    stage.environ |= {name: value.format(**known) for name, value in needs.environ.items()}
    for name, text in needs.files.items():
        stage.write(name, text)


async def follow(page: str, text: str, stage: Stage, needs: Needs, exempt: Sequence[Exempt] = EXEMPT) -> list[str]:
    """
    What is wrong with the page; each fault with its line and a diff.
    """
    blocks = blocks_of(page, text)
    groups = [[block] for block in blocks] if needs.is_apart else [blocks]
    for block in blocks:
        if needs.is_apart and block.file_name:
            stage.write(block.file_name, block.text)
    faults = []
    for number, group in enumerate(groups):
        async with Shell(stage.folder, stage.host / "logs" / str(number), stage.environ) as shell:
            faults += await _Reader(shell, stage, needs, exempt).follow(group)
    return faults


@dataclass
class _Reader:
    shell: Shell
    stage: Stage
    needs: Needs
    exempt: Sequence[Exempt]
    faults: list[str] = field(default_factory=list)
    under_way: dict[str, tuple[Step, Running]] = field(default_factory=dict)

    async def follow(self, blocks: Sequence[Block]) -> list[str]:
        try:
            for block in blocks:
                if block.file_name:
                    self.stage.write(block.file_name, block.text)
                elif block.language in {"console", "sh"}:
                    steps = steps_of(block)
                    for step, behind in zip(steps, [*steps[1:], None], strict=True):
                        self._make_what_is_shown(step)
                        await self._step(step, is_status_shown=behind is not None and "$?" in behind.command)
            await self._end_all()
        except _Stuck as exc:
            self.faults.append(str(exc))
        return self.faults

    def _make_what_is_shown(self, step: Step) -> None:
        """
        A file that the page shows before anything has made it is one that the reader has.
        """
        shown = re.fullmatch(r"cat ([\w./-]+)", step.command)
        if shown and step.shown and not (self.stage.folder / shown[1]).exists():
            self.stage.write(shown[1], "\n".join([*step.shown, ""]))

    async def _step(self, step: Step, *, is_status_shown: bool) -> None:
        if exemption(step, self.exempt):
            return
        if step.command.startswith(self.needs.ends):
            await self._end_all()
        command = self.stage.here(step.command)
        ready = ready_pattern(step, self.needs)
        if ready is None and command.endswith(" &"):
            raise _Stuck(f"{_heading(step)}\nnothing says when this works in the background: see LONG")
        try:
            if ready is not None:
                # In one place at a time: who types it again has ended the one before.
                name = re.sub(r"\W+", " ", ready)
                await self._end(name)
                self.under_way[name] = step, await self.shell.start(command.rstrip(" &"), ready)
                return
            said = await self.shell.run(command)
        except ShellError as exc:
            raise _Stuck(f"{_heading(step)}\n{exc}") from exc
        self._compare(step, said.lines)
        if not is_status_shown and said.status != (wanted := self.needs.status_of(step.command)):
            self.faults.append(
                f"{_heading(step)}\nended with status {said.status}, not {wanted}; it wrote:\n" + "\n".join(said.lines)
            )

    async def _end_all(self) -> None:
        for name in list(self.under_way):
            await self._end(name)

    async def _end(self, name: str) -> None:
        """
        Ends what runs under this name, as soon as it has written what its page shows.
        """
        if name not in self.under_way:
            return
        step, running = self.under_way.pop(name)
        try:
            await self.shell.until(running, lambda lines: not self._differs(step, lines), _SHOWN_LIMIT_S)
        except ShellError:
            self._compare(step, running.lines(), may_go_on=True)
        said = await self.shell.stop(running)
        if said.status not in {0, 130}:
            self.faults.append(f"{_heading(step)}\nended with status {said.status} at Ctrl-C")

    def _compare(self, step: Step, lines: Sequence[str], *, may_go_on: bool = False) -> None:
        if differs := self._differs(step, lines, may_go_on=may_go_on):
            wrote = "\n".join(self._there(lines))
            self.faults.append(f"{_heading(step)}\n{differs}\nIt wrote, in the page's words:\n{wrote}")

    def _differs(self, step: Step, lines: Sequence[str], *, may_go_on: bool = True) -> str:
        return difference(step.shown, self._there(lines), may_go_on=may_go_on) if step.shown else ""

    def _there(self, lines: Sequence[str]) -> list[str]:
        return self.stage.there("\n".join(lines)).split("\n")


class _Stuck(Exception):  # noqa: N818  # it ends a page, and is no error of the code
    pass


def _heading(step: Step) -> str:
    first, *more = step.command.splitlines()
    return f"{step.where}: $ {first}{' ...' if more else ''}"
