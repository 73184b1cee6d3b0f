"""Section `web`: the address of `/metrics` and of the status page, and who may see them."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from config.section import Seconds, Section

_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?"


def _is_address(text: str) -> str:
    match = re.fullmatch(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:]+):(\d{1,5})", text)
    if match is None or int(match[1]) > 65_535:
        raise ValueError("must be host:port, for example 0.0.0.0:9108")
    return text


def _is_root(text: str) -> str:
    """Without a path: the links of the page begin at the root of its host."""
    if not re.fullmatch(rf"https?://{_HOST}/?", text):
        raise ValueError("must be http:// or https:// and a host without a path or a login")
    return text.removesuffix("/")


def _is_ancestor(text: str) -> str:
    """Goes into a header as it is, so nothing may be in it that ends a part of that header."""
    if text != "self" and not re.fullmatch(rf"https?://(?:\*\.)?{_HOST}", text):
        raise ValueError("must be self, or an origin such as https://grafana.bank.example")
    return text


class WebSettings(Section):
    """What is served over HTTP."""

    listen: Annotated[str, AfterValidator(_is_address)] = Field(
        default="0.0.0.0:9108",
        description="Address and port; port 0 = any free one.",
    )
    flush: Annotated[float, Seconds("100ms", "60s")] = Field(
        default=1.0, description="How often the metrics page is rendered anew."
    )
    external_url: Annotated[str, AfterValidator(_is_root)] | None = Field(
        default=None,
        description="Where people reach the page, for links in alerts: "
        "https://anchorwatch.bank.example. Exported as anchorwatch_web_info. null = not known.",
    )
    config_file: Path | None = Field(
        default=None,
        description="File with TLS and logins in the form that Prometheus exporters share "
        "(tls_server_config, basic_auth_users), read again when it or a certificate changes. "
        "null = neither.",
    )
    frame_ancestors: tuple[Annotated[str, AfterValidator(_is_ancestor)], ...] = Field(
        default=(),
        max_length=20,
        description="Origins whose pages may show ours in a frame: [https://grafana.bank.example].",
    )

    @property
    def host(self) -> str:
        """The address to bind, without brackets."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to bind."""
        return int(self.listen.rpartition(":")[2])
