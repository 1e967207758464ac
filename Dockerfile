# greenagent in a small image.
#
#   docker build --build-arg VERSION=$(git describe --always --dirty) -t greenagent .
#   docker run --rm --gpus all greenagent doctor
#
# The base is glibc, not musl or scratch: NVIDIA's libnvidia-ml.so.1, which the
# container runtime mounts from the host, is loaded with dlopen and needs the
# dynamic loader that it was built for.
FROM golang:1.26-bookworm AS build
WORKDIR /src

# Modules change seldom; the layer is kept until they do.
COPY go.mod go.sum ./
RUN go mod download && go mod verify

COPY . .
ARG VERSION=unknown
# Lazy binding: a driver may lack functions that the binding knows by name, which
# would otherwise keep the program from starting.
RUN CGO_ENABLED=1 go build -trimpath -buildvcs=false \
        -ldflags "-s -w -X main.version=${VERSION} -extldflags=-Wl,-z,lazy" \
        -o /greenagent ./cmd/greenagent

FROM debian:bookworm-slim
COPY --from=build /greenagent /usr/local/bin/greenagent
COPY LICENSE /usr/share/doc/greenagent/LICENSE
COPY carbon/DATA-LICENSE.md /usr/share/doc/greenagent/DATA-LICENSE.md

# Which of the driver's libraries the NVIDIA runtime mounts: NVML only.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=utility

# doctor and run need no privileges; reading RAPL may (see greenagent doctor).
USER 65534:65534
ENTRYPOINT ["/usr/local/bin/greenagent"]
CMD ["--help"]
