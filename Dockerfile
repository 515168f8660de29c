# One image for each function: `docker build --build-arg FUNCTION=api .`
# The tag of `RUST_IMAGE` is a version. That of `RUNTIME_IMAGE` moves with Debian 12: the pipeline names an image by its
# substitution `_RUNTIME_IMAGE`, best by digest.
ARG RUST_IMAGE=rust:1.95.0-slim-bookworm
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${RUST_IMAGE} AS tools
# aws-lc is C.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends cmake g++ make \
 && rm -rf /var/lib/apt/lists/*
RUN cargo install cargo-chef --locked --version 0.1.78
WORKDIR /src

FROM tools AS recipe
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

# The functions are built together, once for all images, and without `emulator-tests`, which is no default member:
# in a build of the whole workspace it would give them the feature `testing`.
FROM tools AS build
COPY --from=recipe /src/recipe.json recipe.json
RUN cargo chef cook --release --locked --recipe-path recipe.json
COPY . .
RUN cargo build --release --locked

FROM ${RUNTIME_IMAGE}
ARG FUNCTION
ARG REVISION=unknown
LABEL org.opencontainers.image.title="${FUNCTION}" \
      org.opencontainers.image.description="A function of Infinity X" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build --chmod=0555 /src/target/release/${FUNCTION} /app
# Nothing is written to the file system: it may be read-only.
USER 65532:65532
ENTRYPOINT ["/app"]
