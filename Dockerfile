# syntax=docker/dockerfile:1
#
# Three images: `gateway` (the default, what is shipped: no simulators, no development tokens), and for
# docker-compose.yml `sim` and `agent`.
#
#   docker build --tag curfew:0.1.0-dev .
#   docker build --tag curfew-sim:0.1.0-dev --target sim .

# The version is `rust-version` of Cargo.toml.
FROM rust:1.95-slim-bookworm AS source
WORKDIR /src
COPY . .

FROM source AS build-gateway
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --profile dist --package curfew-server --no-default-features \
    && install -D target/dist/curfew /out/curfew

FROM source AS build-demo
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --profile dist --package curfew-sim --package curfew-agent --bins \
    && install -D target/dist/curfew-sim /out/curfew-sim \
    && install -D target/dist/curfew-agent /out/curfew-agent

# What all images share: the authorities of the public web, and a user who owns nothing but what is made for it.
FROM debian:bookworm-slim AS base
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 curfew \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin curfew

FROM base AS sim
# A new volume takes its owner from the folder that it is mounted on.
RUN install -d -o 10001 -g 10001 /demo/pki /demo/issuer /demo/keys /demo/database
COPY --from=build-demo /out/curfew-sim /usr/local/bin/curfew-sim
USER 10001:10001
ENTRYPOINT ["curfew-sim"]

FROM base AS agent
# For its log of acts.
RUN install -d -o 10001 -g 10001 /var/lib/curfew-agent
COPY --from=build-demo /out/curfew-agent /usr/local/bin/curfew-agent
USER 10001:10001
ENTRYPOINT ["curfew-agent"]

FROM base AS gateway
# For the SQLite file of a gateway without `database.url`.
RUN install -d -o 10001 -g 10001 /var/lib/curfew
COPY --from=build-gateway /out/curfew /usr/local/bin/curfew
USER 10001:10001
EXPOSE 8443
STOPSIGNAL SIGTERM
# Asks the ops listener with what the image has: bash opens the connection itself. It is for the default
# `ops_listen`; override it if that is another.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9464 && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q '^HTTP/1.[01] 200' <&3"]
ENTRYPOINT ["curfew"]
CMD ["serve", "--config", "/etc/curfew/curfew.toml"]
