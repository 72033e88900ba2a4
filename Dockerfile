# One image for every mode: `docker run … dorado standalone | master | worker | migrate | …`.
#
#     docker build --build-arg VERSION=$(git describe --tags --always) -t dorado .
#
# How to run it for others: docs/deploy.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
ARG TARGETOS=linux
ARG TARGETARCH=amd64
# Without cgo the program is one static file.
RUN CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} \
    go build -trimpath -ldflags "-s -w -X dorado/app/boot.Version=${VERSION}" -o /dorado ./app

FROM debian:bookworm-slim
# Tasks are shell and Python scripts, so the image has what scripts expect; curl is for the health check, too.
# The worker runs tasks as its own user here. One that switches to the user of each tenant runs as root
# (`docker run --user 0`, securityContext.runAsUser: 0): add the accounts in an image of your own, or set
# DORADO_WORKER_AUTO_CREATE_TENANT=true. docs/deploy has both.
RUN apt-get update \
 && apt-get install -y --no-install-recommends bash ca-certificates curl python3 tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --create-home --home-dir /var/lib/dorado --shell /usr/sbin/nologin dorado \
 && install -d -o dorado -g dorado -m 0711 /var/lib/dorado/data
COPY --from=build /dorado /usr/local/bin/dorado
# By number, so that Kubernetes can see that it is not root.
USER 10001
WORKDIR /var/lib/dorado
ENV DORADO_LISTEN=0.0.0.0:12345 \
    DORADO_WORKER_LISTEN=0.0.0.0:1235 \
    DORADO_DATA=/var/lib/dorado/data
VOLUME /var/lib/dorado/data
EXPOSE 12345 5678 1235
# A master answers at 12345, a worker at 1235.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD curl -fsS http://127.0.0.1:12345/healthz/ready || curl -fsS http://127.0.0.1:1235/healthz/ready || exit 1
# No init is needed: as process 1 the program reaps what killed tasks leave behind, and ends in order on SIGTERM.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/dorado"]
CMD ["standalone"]
