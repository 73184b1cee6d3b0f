"""Which format and which encoding a client is given (RFC 9110, sections 12.4 and 12.5)."""

TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_VERSIONS = {"application/openmetrics-text": ("1.0.0", "0.0.1"), "text/plain": ("0.0.4",)}


def prefers_openmetrics(accept: str) -> bool:
    """True when the header `Accept` names OpenMetrics and rates it no lower than the text format.

    Without the header, with wildcards alone or with nothing that we have, the text format it is:
    everybody can read it.
    """
    openmetrics = text = 0.0
    for kind, parameters, quality in _parse(accept):
        known = _VERSIONS.get(kind, ())
        version = parameters.get("version")
        if version is not None and known and version not in known:
            continue
        if kind == "application/openmetrics-text":
            openmetrics = max(openmetrics, quality)
        elif kind == "text/plain":
            text = max(text, quality)
    return openmetrics > 0 and openmetrics >= text


def accepts_gzip(accept_encoding: str) -> bool:
    """True when the header `Accept-Encoding` allows gzip; `gzip` outranks `*`."""
    weights = {kind: quality for kind, _, quality in _parse(accept_encoding)}
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def _parse(header: str) -> list[tuple[str, dict[str, str], float]]:
    """`(name, parameters, q)` of each element; one with an unreadable q counts as refused."""
    elements = []
    for element in header.split(","):
        name, *rest = (part.strip() for part in element.split(";"))
        parameters = {}
        for part in rest:
            key, _, value = part.partition("=")
            parameters[key.strip().lower()] = value.strip().strip('"')
        if name:
            elements.append((name.lower(), parameters, _quality(parameters.get("q", "1"))))
    return elements


def _quality(text: str) -> float:
    try:
        quality = float(text)
    except ValueError:
        return 0.0
    return quality if 0.0 <= quality <= 1.0 else 0.0
