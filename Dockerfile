# The service in one image; the command says which part: docker run grpc-task-scheduler api | worker | reaper | migrate | …
#
# The base is named by its tag. A release names it by digest too, which whoever builds asks a registry for:
#   docker build --build-arg BASE=docker.io/library/python:3.13-slim-bookworm@sha256:… .
# Renovate and Dependabot keep such a digest current. Everything else is pinned by hash in requirements/.
ARG BASE=docker.io/library/python:3.13-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /src
COPY requirements/build.txt requirements/
RUN --mount=type=cache,target=/root/.cache \
    python3 -m venv /tools && /tools/bin/pip install --quiet --require-hashes --only-binary :all: -r requirements/build.txt
COPY . .
RUN --mount=type=cache,target=/root/.cache \
    PATH="/tools/bin:$PATH" PYTHON=python3 scripts/install-runtime /opt/scheduler

FROM ${BASE}
RUN groupadd --gid 10001 scheduler \
    && useradd --uid 10001 --gid scheduler --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin scheduler
COPY --from=build /opt/scheduler /opt/scheduler
ENV PATH="/opt/scheduler/bin:$PATH" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1

ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
ARG BASE
LABEL org.opencontainers.image.title="grpc-task-scheduler" \
      org.opencontainers.image.description="A job scheduler over gRPC that loses nothing" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${BASE}"

# By number, so that runAsNonRoot can be checked. The root file system may be read-only; /tmp must be writable.
# Handlers of users may be mounted or copied to /app: worker --handlers tasks.
USER 10001:10001
WORKDIR /app
EXPOSE 8081 2112 2113 2114
STOPSIGNAL SIGTERM
# Alive and making progress, whatever SQL and Redis do: `scheduler health --ready` asks for more.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["scheduler", "health"]
ENTRYPOINT ["scheduler"]
CMD ["--help"]
