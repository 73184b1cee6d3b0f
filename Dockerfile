# The image of Anchorwatch: one service, no compiler, no pip, no packages but those it runs on, no root.
#
#   docker build --build-arg REVISION="$(git rev-parse --short HEAD)" -t anchorwatch:0.1.0 .
#   docker run --rm --read-only --cap-drop ALL -p 127.0.0.1:9108:9108 \
#     -v "$PWD/anchorwatch.yaml:/etc/anchorwatch/anchorwatch.yaml:ro" -v anchorwatch:/var/lib/anchorwatch anchorwatch:0.1.0
#
# It takes 290 MB on disk, 95 MB to be pulled: `make image-root` measures it, and fails beyond 300;
# `make image-steps` is quicker. What is in it, what is left out and why is in deploy/image:
# lay_root.py (of Debian, 44 MB), slim.py (of Python's packages).
#
# The base is pinned to a line of Debian, not to a digest: the same tag, and Python from Debian's
# archive, get security updates. What is installed on it is pinned by hash. Where a build must be
# repeatable to the bit, give the base with the digest your registry holds, and an archive that keeps
# every day of Debian, where `debian` and `debian-security` are, with the day:
#   --build-arg DEBIAN_IMAGE=debian:bookworm-slim@sha256:...
#   --build-arg DEBIAN_ARCHIVE=https://archive.example --build-arg DEBIAN_DAY=20260601T000000Z
# Bytecode and the times of files are those of SOURCE_DATE_EPOCH whenever it is built.
ARG DEBIAN_IMAGE=debian:bookworm-slim


# Python, and what it runs on, of Debian: laid apart, the root of the image, without apt, dpkg and perl.
FROM ${DEBIAN_IMAGE} AS debian
ARG DEBIAN_ARCHIVE=
ARG DEBIAN_DAY=
ARG SOURCE_DATE_EPOCH=1580601600
WORKDIR /build
RUN if [ -n "$DEBIAN_ARCHIVE" ]; then \
        sed -i "s|^URIs: .*/\(debian[a-z-]*\)/*$|URIs: $DEBIAN_ARCHIVE/\1/$DEBIAN_DAY|" \
            /etc/apt/sources.list.d/debian.sources; \
    fi \
    && apt-get --quiet -o Acquire::Check-Valid-Until=false update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends \
        binutils busybox ca-certificates libstdc++6 media-types netbase openssl python3.11 python3.11-venv tzdata
COPY deploy/image/lay_root.py ./
RUN python3.11 lay_root.py /rootfs


FROM debian AS build
ARG SOURCE_DATE_EPOCH=1580601600
ENV PATH=/opt/tools/bin:$PATH PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python3.11 -m venv /opt/tools

# What Anchorwatch runs on, in an environment of its own, which has no pip. Wheels alone: nothing
# is compiled, so nothing that compiles is needed.
COPY requirements.lock requirements-build.lock ./
RUN python -m venv --without-pip /opt/anchorwatch
RUN pip --python /opt/anchorwatch/bin/python install --no-compile --require-hashes --only-binary :all: -r requirements.lock

# The wheel, by a build backend pinned as well; with the network out of reach of the build.
RUN pip install --require-hashes --only-binary :all: -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY config ./config
COPY detectors ./detectors
COPY service ./service
RUN pip wheel --no-index --no-deps --no-build-isolation --wheel-dir dist .
RUN pip --python /opt/anchorwatch/bin/python install --no-compile --no-index --no-deps dist/*.whl

# Half of what wheels bring is never used. Then the same bytes wherever and whenever it is built.
COPY deploy/image/slim.py deploy/image/settle.py ./
RUN /opt/anchorwatch/bin/python slim.py
RUN /opt/anchorwatch/bin/python settle.py /rootfs


FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Anchorwatch" \
      org.opencontainers.image.description="Streaming drift detection for models in production: Kafka in, Prometheus out." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

COPY --from=build /rootfs /
COPY --from=build /opt/anchorwatch /opt/anchorwatch

# State is all that it writes, so the root file system may be read-only.
RUN mkdir -m 0755 /etc/anchorwatch /etc/anchorwatch/references \
    && mkdir -m 0750 /var/lib/anchorwatch \
    && chown 10001:10001 /var/lib/anchorwatch

# One thread for linear algebra: there is none worth sharing, and each would cost memory.
ENV PATH=/opt/anchorwatch/bin:/usr/bin:/bin \
    LANG=C.UTF-8 \
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
