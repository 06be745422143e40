"""Answering one halt: round after round at the venue until nothing is left that could add exposure."""

from __future__ import annotations

from apps.guard.countdowns import Countdowns, quietly
from apps.guard.evidence import BASELINE, Evidence, baseline, results, words
from apps.guard.hands import Hands, Outcome
from trading.errors import RetryLater, TradingError, UnknownOutcome
from trading.guard.policy import Account, Plan, Protect, Reduce, plan, refused, remembered
from trading.guard.settings import GuardSettings
from trading.ports import Clock
from warehouse.flags.kill_flag import KillFlag

#: Wait after a failure, so that a venue that refuses is not flooded; it doubles up to the second.
_PAUSE_SECONDS = 0.5
_LONGEST_BUSY_SECONDS = 4.0
#: Longest wait that the venue may ask for.
_LONGEST_PAUSE_SECONDS = 30.0
#: Longest wait while a stage of closing is still to come.
_STAGE_SECONDS = 1.0
_NO_ANSWER = (RetryLater, UnknownOutcome)


class Response:
    """The answer to one halt. What it must remember over a restart is in the journal."""

    def __init__(
        self,
        flag: KillFlag,
        hands: Hands,
        countdowns: Countdowns,
        evidence: Evidence,
        settings: GuardSettings,
        clock: Clock,
    ) -> None:
        self._flag = flag
        self._hands = hands
        self._countdowns = countdowns
        self._evidence = evidence
        self._settings = settings
        self._clock = clock
        self._kill = evidence.remembered(flag.kill_id)
        self._contained = False
        self._busy_rounds = 0
        self._countdown_problem = ""
        evidence.record(
            "halt", flag.kill_id, {"reason": flag.reason, "by": flag.by, "at_ms": flag.changed_at_ms}
        )

    @property
    def kill_id(self) -> str:
        """Which halt this answers."""
        return self._kill.kill_id

    def round(self) -> float:
        """Look at the venue and do what is wanted; returns the seconds until the next round."""
        try:
            account, unread = self._hands.account()
        except TradingError as error:
            self._evidence.problem(f"the venue's orders cannot be read: {error}")
            self._busy_rounds += 1
            return self._pause_after(error)
        self._remember(account)
        wanted = plan(account, self._kill, self._settings, self._clock.now_ms())
        failed = self._carry_out(wanted, account)
        self._note(wanted)
        problem = failed[0].error if failed else unread
        told = "" if problem is None else f"{type(problem).__name__}: {problem}"
        self._evidence.problem(told or self._countdown_problem)
        if problem is None and not wanted.actions:
            self._busy_rounds = 0
            recheck = self._settings.recheck_seconds
            return recheck if self._contained else min(recheck, _STAGE_SECONDS)
        self._busy_rounds += 1
        if problem is not None:
            return self._pause_after(problem)
        # See at once what came of the first round; a venue that shows no effect is not asked ever faster.
        return 0.0 if self._busy_rounds == 1 else self._growing_pause()

    def close(self) -> None:
        """Nothing is under way between two rounds."""

    def _pause_after(self, error: Exception) -> float:
        """As long as the venue asked for, and longer from failure to failure."""
        asked = error.retry_after_seconds if isinstance(error, RetryLater) else None
        return min(max(asked or 0.0, self._growing_pause()), _LONGEST_PAUSE_SECONDS)

    def _growing_pause(self) -> float:
        doublings = min(max(self._busy_rounds - 2, 0), 8)
        return min(_PAUSE_SECONDS * 2.0**doublings, _LONGEST_BUSY_SECONDS)

    def _remember(self, account: Account) -> None:
        known = self._kill
        self._kill = remembered(known, account.positions or (), self._clock.now_ms())
        if self._kill is not known:
            self._evidence.record(BASELINE, self.kill_id, baseline(self._kill))

    def _carry_out(self, wanted: Plan, account: Account) -> list[Outcome]:
        """Do what is wanted; returns what failed."""
        if not wanted.actions:
            return []
        held = {position.symbol for position in account.positions or ()}

        def no_countdowns() -> None:
            # One that runs would take the new stops along.
            self._countdown_problem = quietly(lambda: self._countdowns.stop(held))

        self._evidence.record("acting", self.kill_id, [words(action) for action in wanted.actions])
        outcomes = self._hands.carry_out(wanted.actions, no_countdowns)
        self._evidence.record("acted", self.kill_id, results(outcomes))
        failed = [item for item in outcomes if item.error is not None]
        for item in failed:
            # Only a refusal counts: a venue that did not answer would not take another order either.
            if isinstance(item.action, Protect | Reduce) and not isinstance(item.error, _NO_ANSWER):
                self._kill = refused(self._kill, item.action)
        return failed

    def _note(self, wanted: Plan) -> None:
        """Record when the venue first shows that nothing is left."""
        if wanted.contained and not self._contained:
            after_ms = self._clock.now_ms() - self._flag.changed_at_ms
            self._evidence.record("contained", self.kill_id, {"after_halt_ms": after_ms})
        self._contained = wanted.contained
