# One image for every mode: `docker run … dorado standalone | master | worker | migrate | …`.
# Built where an engine is at hand: docker build --build-arg VERSION=$(git describe --tags --always) -t dorado .
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X dorado/app/boot.Version=${VERSION}" -o /dorado ./app

FROM debian:bookworm-slim
# Tasks are shell and Python scripts, so the image has what scripts expect. There is no sudo: the worker runs tasks as
# its own user here. To switch users per tenant, run the worker as root and create the accounts in an image of your own.
RUN apt-get update \
 && apt-get install -y --no-install-recommends bash ca-certificates curl python3 tini tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --create-home --home-dir /var/lib/dorado --shell /usr/sbin/nologin dorado
COPY --from=build /dorado /usr/local/bin/dorado
USER dorado
WORKDIR /var/lib/dorado
ENV DORADO_LISTEN=0.0.0.0:12345 DORADO_DATA=/var/lib/dorado/data
VOLUME /var/lib/dorado
EXPOSE 12345 5678
# A worker has no web pages: start it with --no-healthcheck, its master watches it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD curl -fsS http://127.0.0.1:12345/actuator/health || exit 1
# tini reaps what a killed task leaves behind and hands SIGTERM on.
ENTRYPOINT ["tini", "--", "dorado"]
CMD ["standalone"]
