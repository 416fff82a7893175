FROM python:3.13-slim-trixie AS build
ARG PIP_INDEX_URL
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

FROM python:3.13-slim-trixie
LABEL org.opencontainers.image.title="vpn-worker" \
      org.opencontainers.image.description="Turns create-VPN-service requests on RabbitMQ into cloud API calls and events" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/vpn-worker/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    VPN_WORKER_HTTP_HOST=0.0.0.0 \
    VPN_WORKER_HTTP_PORT=8080
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["vpn-worker", "health"]
ENTRYPOINT ["vpn-worker"]
CMD ["run"]
# Numeric, so that Kubernetes can see that it is not root (runAsNonRoot).
RUN groupadd --system --gid 10001 vpn-worker \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/vpn-worker vpn-worker \
    && install --directory --owner 10001 --group 10001 --mode 0750 /var/lib/vpn-worker
# A SQLite ledger is here because the working folder is: a variable would win over a ledger that is named by a file.
VOLUME /var/lib/vpn-worker
WORKDIR /var/lib/vpn-worker
COPY --from=build /opt/vpn-worker /opt/vpn-worker
# Shows that everything can be imported, and leaves the bytecode of the standard library, which the base image lacks: on a
# read-only root every start, and every health check, would compile it anew.
RUN export PYTHONDONTWRITEBYTECODE= \
    && vpn-worker --version \
    && python -c 'import uvloop, worker.app, worker.simulator, opentelemetry.exporter.otlp.proto.http.trace_exporter' \
    && { vpn-worker health --url http://127.0.0.1:9 2>/dev/null || [ $? -eq 1 ]; }
USER 10001:10001
