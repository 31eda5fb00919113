# Wavefleet's image, in two stages: what builds it stays behind. Runs as a user without rights, also with a read-only
# root file system: all it writes goes to /var/lib/wavefleet. Tested by tests/test_dockerfile.py.

FROM python:3.13-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN ["python", "-m", "venv", "/opt/wavefleet"]

# The locked dependencies first: they change less often than our code, so this layer is mostly found again.
COPY requirements.lock ./
RUN ["/opt/wavefleet/bin/pip", "install", "--require-hashes", "--only-binary", ":all:", "--requirement", "requirements.lock"]

COPY LICENSE README.md pyproject.toml ./
COPY schemas schemas
COPY fleet-example fleet-example
COPY controller controller
RUN ["/opt/wavefleet/bin/pip", "wheel", "--no-deps", "--wheel-dir", "dist", "."]
RUN ["/opt/wavefleet/bin/pip", "install", "--no-deps", "--no-index", "--find-links", "dist", "wavefleet"]
RUN ["/opt/wavefleet/bin/pip", "check"]


FROM python:3.13-slim-bookworm

LABEL org.opencontainers.image.title="wavefleet" \
      org.opencontainers.image.description="Upgrades fleets of Kafka clusters from Git, one safe wave per cycle" \
      org.opencontainers.image.licenses="Apache-2.0"

# git and ssh reach the repository; tini takes in the processes that Git leaves behind, which process 1 has to.
# ssh refuses to run for a user without a name, so the user has one.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git openssh-client tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/wavefleet --shell /usr/sbin/nologin wavefleet \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/wavefleet

COPY --from=build /opt/wavefleet /opt/wavefleet

# XDG_STATE_HOME puts the ledger into the volume; a settings file or a flag may still name another place.
ENV PATH=/opt/wavefleet/bin:$PATH \
    HOME=/var/lib/wavefleet \
    TMPDIR=/var/lib/wavefleet \
    XDG_STATE_HOME=/var/lib \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    WAVEFLEET_LISTEN=0.0.0.0:8080

USER 10001:10001
WORKDIR /var/lib/wavefleet
VOLUME /var/lib/wavefleet
EXPOSE 8080
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client as h, os; c = h.HTTPConnection('127.0.0.1', int(os.environ['WAVEFLEET_LISTEN'].rpartition(':')[2]), timeout=4); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]

ENTRYPOINT ["tini", "--", "wavefleet"]
CMD ["run"]
