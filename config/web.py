"""Section `web`: the address of `/metrics` and of the status page."""

import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from config.section import Seconds, Section


def _is_address(text: str) -> str:
    match = re.fullmatch(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:]+):(\d{1,5})", text)
    if match is None or int(match[1]) > 65_535:
        raise ValueError("must be host:port, for example 0.0.0.0:9108")
    return text


class WebSettings(Section):
    """What is served over HTTP."""

    later: ClassVar[frozenset[str]] = frozenset({"config_file", "external_url", "frame_ancestors"})

    listen: Annotated[str, AfterValidator(_is_address)] = Field(
        default="0.0.0.0:9108",
        description="Address and port; port 0 = any free one.",
    )
    flush: Annotated[float, Seconds("100ms", "60s")] = Field(
        default=1.0, description="How often the metrics page is rendered anew."
    )

    @property
    def host(self) -> str:
        """The address to bind, without brackets."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to bind."""
        return int(self.listen.rpartition(":")[2])
