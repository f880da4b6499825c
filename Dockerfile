# The daemon in a container: docs/deploy.md#containers
#   docker build --tag reconciler .
# Without the embedded engines, for a ClickHouse and a Redis elsewhere: --build-arg EXTRAS=
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
ARG EXTRAS=embedded
ENV PIP_CACHE_DIR=/var/cache/pip PIP_CONSTRAINT=/src/constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/var/cache/pip \
    python -m pip wheel --no-deps --wheel-dir /wheels .
RUN --mount=type=cache,target=/var/cache/pip \
    python -m venv /opt/reconciler \
    && /opt/reconciler/bin/python -m pip install "$(echo /wheels/reconciler-*.whl)${EXTRAS:+[${EXTRAS}]}" \
    && /opt/reconciler/bin/python -m pip check \
    && /opt/reconciler/bin/python -m pip uninstall --yes pip setuptools

FROM ${BASE}
ARG VERSION=
ARG REVISION=
LABEL org.opencontainers.image.title="reconciler" \
      org.opencontainers.image.description="GitOps for trading configuration: YAML in git becomes live rows in DuckDB, every commit a version in ClickHouse" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# The distribution's git and ssh, whatever their version: one that is pinned here is gone with the next security update.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git openssh-client \
    && rm -rf /var/lib/apt/lists/*

# The base has no byte code of Python's own modules, and nobody may write any later: each command would compile them anew.
# pip has compiled the rest.
RUN python -m compileall -q -x '/(site-packages|ensurepip|idlelib|lib2to3|test|tests|tkinter|turtledemo)/' \
    "$(python -c 'import os; print(os.path.dirname(os.__file__))')"

# A fixed number: whoever sets up a volume has to know it. ssh wants an entry in passwd, git a name.
RUN groupadd --gid 10001 reconciler \
    && useradd --uid 10001 --gid reconciler --home-dir /var/lib/reconciler --no-create-home --no-log-init \
       --shell /usr/sbin/nologin reconciler \
    && install --directory --mode 0700 --owner reconciler --group reconciler /var/lib/reconciler \
    && install --directory --mode 0755 /etc/reconciler /srv/config \
    && git config --system --add safe.directory /srv/config

COPY --from=build /opt/reconciler /opt/reconciler
COPY --chmod=0555 deploy/container/healthcheck.py /opt/reconciler/bin/healthcheck

# The root file system may be read-only: /var/lib/reconciler is a volume, /tmp a tmpfs.
# Python's own allocator gives back whole megabytes alone, and few of them are free when a large commit is done; the C
# library's gives back pages. Each of its arenas keeps some, and there would be eight for each processor.
ENV PATH="/opt/reconciler/bin:${PATH}" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONMALLOC=malloc \
    MALLOC_ARENA_MAX=2 \
    TMPDIR=/tmp \
    RECONCILER_STATE_DIR=/var/lib/reconciler
USER 10001:10001
# A reconciler.toml that is mounted here is found by the daemon, and by commands in `docker exec`.
WORKDIR /etc/reconciler
VOLUME ["/var/lib/reconciler"]
EXPOSE 8642
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/opt/reconciler/bin/healthcheck"]
ENTRYPOINT ["reconciler"]
CMD ["run"]
