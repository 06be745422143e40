"""Answering a halt on the paper venue, whose orders live in the ledger: a process of its own cancels them there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from apps.guard.evidence import Evidence
from trading.guard.settings import GuardSettings
from trading.ports import Clock
from warehouse.flags.kill_flag import KillFlag

#: What contains a halt through the ledger, once.
CONTAIN = (sys.executable, "-m", "resources.killswitch.contain")

_LOOK_SECONDS = 0.1
_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 4.0
#: A pass that takes longer hangs, and is begun anew.
_LONGEST_PASS_SECONDS = 120.0


class LedgerResponse:
    """The answer to one halt.

    While the ledger does not answer nothing can be cancelled there. Nothing is sent either, for the sender
    heeds the flag's file, and a paper order fills only when somebody books it in that ledger.

    Parameters
    ----------
    command
        Contains a halt and prints what came of it as JSON: `CONTAIN`.
    monotonic
        Seconds on a clock that nobody sets.
    """

    def __init__(
        self,
        flag: KillFlag,
        command: Sequence[str],
        evidence: Evidence,
        settings: GuardSettings,
        *,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._flag = flag
        self._command = command
        self._evidence = evidence
        self._settings = settings
        self._clock = clock
        self._monotonic = monotonic
        self._pass: subprocess.Popen[str] | None = None
        self._begun = 0.0
        self._failed_passes = 0
        self._contained = False
        payload = {"reason": flag.reason, "by": flag.by, "at_ms": flag.changed_at_ms}
        evidence.record("halt", flag.kill_id, payload)

    @property
    def kill_id(self) -> str:
        """Which halt this answers."""
        return self._flag.kill_id

    def round(self) -> float:
        """Begin a pass, or look how far it is; returns the seconds until the next look."""
        if self._pass is None:
            self._begun = self._monotonic()
            self._pass = subprocess.Popen(  # noqa: S603 - our own interpreter with fixed arguments
                self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
            )
        if self._pass.poll() is None:
            if self._monotonic() - self._begun > _LONGEST_PASS_SECONDS:
                self._pass.kill()
            return _LOOK_SECONDS
        answer = _answer(self._pass)
        self._pass = None
        return self._note(answer)

    def close(self) -> None:
        """End a pass that is under way; its transactions are whole or not there."""
        if self._pass is not None:
            self._pass.kill()
            self._pass.communicate()
            self._pass = None

    def _note(self, answer: dict[str, Any]) -> float:
        problem = answer.get("error", "")
        self._evidence.problem(
            problem
            and f"{problem}; nothing is cancelled in the ledger until it answers, and nothing new is sent"
        )
        if problem:
            self._failed_passes += 1
            return float(min(_PAUSE_SECONDS * 2.0 ** min(self._failed_passes - 1, 8), _LONGEST_PAUSE_SECONDS))
        self._failed_passes = 0
        if answer["cancelled"] or answer["new_fills"]:
            self._evidence.record("contained_in_ledger", self.kill_id, answer)
        contained = answer["open_entries"] == 0
        if contained and not self._contained:
            after_ms = self._clock.now_ms() - self._flag.changed_at_ms
            self._evidence.record("contained", self.kill_id, {"after_halt_ms": after_ms})
        self._contained = contained
        return self._settings.recheck_seconds if contained else _PAUSE_SECONDS


def _answer(ended: subprocess.Popen[str]) -> dict[str, Any]:
    said = ended.communicate()[0].strip()
    try:
        found = json.loads(said.splitlines()[-1]) if said else {}
    except ValueError:
        found = {}
    return found or {"error": f"the pass through the ledger ended with exit code {ended.returncode}"}
