"""Section `watchdog`: when we ourselves count as stuck."""

from typing import Annotated

from pydantic import Field

from config.section import Seconds, Section


class WatchdogSettings(Section):
    """Liveness: the watchdog alone, never whether the broker can be reached."""

    after: Annotated[float, Seconds("5s", "1h")] = Field(
        default=120.0,
        description="No progress for so long although there is lag: /livez fails and the process "
        "exits, so that it is started anew.",
    )
