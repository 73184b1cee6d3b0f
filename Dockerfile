# The image of Anchorwatch: one service, no compiler, no pip, no root.
#
#   docker build --build-arg REVISION="$(git rev-parse --short HEAD)" -t anchorwatch:0.1.0 .
#   docker run --rm --read-only --cap-drop ALL -p 127.0.0.1:9108:9108 \
#     -v "$PWD/anchorwatch.yaml:/etc/anchorwatch/anchorwatch.yaml:ro" -v anchorwatch:/var/lib/anchorwatch anchorwatch:0.1.0
#
# The base is pinned to a line of Python and of Debian, not to a digest: the same tag gets security
# updates. Where a build must be repeatable to the bit, give PYTHON_IMAGE with the digest your
# registry holds (python:3.11-slim-bookworm@sha256:...). What is installed on it is pinned by hash.
# To its base it adds 150 MB to be pulled, 460 MB on disk, most of it pyarrow and scipy:
# `make image-root` measures it, and `make image-steps` is quicker.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm


FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

# What Anchorwatch runs on, in an environment of its own, which has no pip. Wheels alone: nothing
# is compiled, so nothing that compiles is needed.
COPY requirements.lock requirements-build.lock ./
RUN python -m venv --without-pip /opt/anchorwatch
RUN pip --python /opt/anchorwatch/bin/python install --require-hashes --only-binary :all: -r requirements.lock

# The wheel, by a build backend pinned as well; with the network out of reach of the build.
RUN pip install --require-hashes --only-binary :all: -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY config ./config
COPY detectors ./detectors
COPY service ./service
RUN pip wheel --no-index --no-deps --no-build-isolation --wheel-dir dist .
RUN pip --python /opt/anchorwatch/bin/python install --no-index --no-deps dist/*.whl


FROM ${PYTHON_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Anchorwatch" \
      org.opencontainers.image.description="Streaming drift detection for models in production: Kafka in, Prometheus out." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# State is all that it writes, so the root file system may be read-only.
RUN python -m pip uninstall --yes --quiet --root-user-action=ignore pip setuptools wheel \
    && groupadd --gid 10001 anchorwatch \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin anchorwatch \
    && install -d -o 10001 -g 10001 -m 0750 /var/lib/anchorwatch \
    && install -d -m 0755 /etc/anchorwatch /etc/anchorwatch/references
COPY --from=build /opt/anchorwatch /opt/anchorwatch

# One thread for linear algebra: there is none worth sharing, and each would cost memory.
ENV PATH=/opt/anchorwatch/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OPENBLAS_NUM_THREADS=1 \
    ANCHORWATCH_REVISION=${REVISION}
USER 10001:10001
VOLUME /var/lib/anchorwatch
EXPOSE 9108
STOPSIGNAL SIGTERM

# Alive is what the watchdog says, not whether the broker answers. Change it with `web.listen`.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:9108/livez', timeout=4)"]

ENTRYPOINT ["anchorwatch"]
CMD ["run", "--config", "/etc/anchorwatch/anchorwatch.yaml"]
