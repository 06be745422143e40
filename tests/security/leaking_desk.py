"""A desk that fails with an error that quotes every secret of its process, as a careless library would."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass

from trading.desks.desk import settings_hash
from trading.model.decision import Decision
from trading.model.snapshot import Snapshot

#: Stands beside the secrets in every text, so that a search which sees nothing is noticed.
MARKER = "said-by-the-leaking-desk"


@dataclass(frozen=True)
class Leaking:
    """Logs and raises what it should not."""

    name: str = "leaking"

    @property
    def configuration_hash(self) -> str:
        return settings_hash(self.name, self)

    def decide(self, snapshot: Snapshot) -> list[Decision]:
        texts = [MARKER, *(os.environ[name] for name in os.environ["LEAKED_VARIABLES"].split(","))]
        with open(os.environ["TIDEMILL_BINANCE_PRIVATE_KEY_FILE"]) as key:
            texts.append(key.read())
        logging.getLogger("leaking").error("connecting with %s", " ".join(texts))
        try:
            raise ConnectionError(" ".join(texts))
        except ConnectionError as error:
            raise RuntimeError(f"no answer: {texts!r}") from error
