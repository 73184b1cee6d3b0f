"""What `anchorwatch acl` prints: a sentence, and lines of kafka-topics and kafka-acls."""

import shlex
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

Operation = Literal["Read", "Describe", "Write", "Create", "DescribeConfigs"]

ADMIN_FILE = "admin.properties"
"""Stands for the file with the login of those who administer the brokers."""


class Request(Struct, frozen=True):
    """What to ask for in one sentence, and the lines that do it; none where no line could."""

    why: str
    commands: tuple[str, ...] = ()


class Cluster(Struct, frozen=True):
    """Who is to be let in where, as the tools want it."""

    servers: str
    principal: str
    needs_login: bool

    def make(self, *words: str) -> str:
        """Make a topic. What is not said of it is as the cluster has it by default."""
        return self._line("kafka-topics", "--create", "--if-not-exists", *words)

    def grant(self, operations: Sequence[Operation], *resource: str) -> str:
        """Let the principal do this."""
        allowed = [word for operation in operations for word in ("--operation", operation)]
        return self._line(
            "kafka-acls", "--add", "--allow-principal", self.principal, *allowed, *resource
        )

    def _line(self, tool: str, *words: str) -> str:
        login = ("--command-config", ADMIN_FILE) if self.needs_login else ()
        return shlex.join((tool, "--bootstrap-server", self.servers, *login, *words))
