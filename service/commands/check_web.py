"""The web configuration file that `web.config_file` names: is it sound, with its certificates?"""

from collections.abc import Iterator, Sequence

from config.errors import ConfigurationProblems
from config.settings import Settings
from config.tree import Path
from config.web_file import WebFile, read_web_file
from service.commands.findings import Finding
from service.errors import ConfigurationError
from service.publish.tls import context_of

_AT = ("web", "config_file")


def web_findings(settings: Settings, doubtful: Sequence[Path]) -> Iterator[Finding]:
    """What is wrong in that file, by its own lines; a hint where passwords go in plain text."""
    file = settings.web.config_file
    if file is None or any(path in {_AT, _AT[:1]} for path in doubtful):
        return
    try:
        said = read_web_file(file)
        if said.tls_server_config is not None:
            context_of(said.tls_server_config)
    except ConfigurationProblems as error:
        for problem in error.problems:
            message = f"{problem.path}: {problem.message}" if problem.path else problem.message
            yield Finding(_AT, message, file=problem.file, line=problem.line)
    except ConfigurationError as error:
        yield Finding(_AT, f"tls_server_config: {error}", file=str(file))
    else:
        yield from _hints(said)


def _hints(said: WebFile) -> Iterator[Finding]:
    if said.basic_auth_users and said.tls_server_config is None:
        yield Finding(
            _AT,
            "has logins and no tls_server_config: passwords cross the network as they are, "
            "unless a proxy before the service encrypts them",
            is_hint=True,
        )
