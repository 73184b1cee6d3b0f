"""The families of the server itself."""

from service.publish.families import counter

WEB_REFUSED = counter(
    "web_refused",
    "busy: asked while too many were served; connections: hung up on, the first to come, since too "
    "many were open; slow: hung up on before the request was there or the answer was taken; login: "
    "without a good login.",
    ("reason",),
)
