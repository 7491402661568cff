# Petrel in a small image. Build: docker build -t petrel .
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=container
RUN GOFLAGS=-trimpath make build VERSION="$VERSION"

# Debian rather than an empty image: actions need a shell, Python and the usual tools.
FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends bash ca-certificates curl git openssh-client procps python3 python3-venv sudo \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --home-dir /var/lib/petrel --shell /bin/bash petrel
COPY --from=build /src/bin/petrel /usr/local/bin/petrel
USER petrel
WORKDIR /var/lib/petrel
VOLUME /var/lib/petrel
EXPOSE 9101
ENV PETREL_STATE=/var/lib/petrel PETREL_LISTEN=0.0.0.0:9101
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD curl -fsS http://127.0.0.1:9101/readyz || exit 1
ENTRYPOINT ["petrel"]
CMD ["serve"]
