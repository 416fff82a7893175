FROM python:3.13-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/vpn-worker
WORKDIR /src
COPY requirements.lock ./
# Wheels only: no compiler is needed here, and none can come into the image.
RUN /opt/vpn-worker/bin/pip install --quiet --only-binary=:all: --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY messages messages
COPY worker worker
RUN /opt/vpn-worker/bin/pip install --quiet --no-deps --no-build-isolation . \
    && /opt/vpn-worker/bin/pip uninstall --quiet --yes setuptools pip

FROM python:3.13-slim-bookworm
# Numeric, so that Kubernetes can see that it is not root (runAsNonRoot).
RUN groupadd --system --gid 10001 vpn-worker \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/vpn-worker vpn-worker \
    && install --directory --owner 10001 --group 10001 --mode 0750 /var/lib/vpn-worker
COPY --from=build /opt/vpn-worker /opt/vpn-worker
ENV PATH=/opt/vpn-worker/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    VPN_WORKER_LEDGER_URL=sqlite:////var/lib/vpn-worker/ledger.sqlite3
USER 10001:10001
WORKDIR /var/lib/vpn-worker
VOLUME /var/lib/vpn-worker
STOPSIGNAL SIGTERM
ENTRYPOINT ["vpn-worker"]
CMD ["run"]
