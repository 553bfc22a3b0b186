# The code location as one image; docs/image.md explains each part. Base, package index and models are build arguments.
ARG BASE_IMAGE=python:3.13-slim
# Optional parts: see [project.optional-dependencies] in pyproject.toml.
ARG EXTRAS="deployment surrogates countries"


# What decides about dependencies, without times: as long as it stays, the dependencies come from the builder's cache.
FROM ${BASE_IMAGE} AS manifests
WORKDIR /source
COPY . .
RUN mkdir /manifests \
 && find . -name src -prune -o \( -name pyproject.toml -o -name uv.lock \) -exec cp --parents '{}' /manifests ';' \
 && find /manifests -exec touch --date=@0 '{}' +


FROM ${BASE_IMAGE} AS build
# Packages of the distribution that the build alone needs, such as "git" for packages from Git repositories.
ARG BUILD_PACKAGES=""
# hadolint ignore=DL3008,SC2086
RUN [ -z "${BUILD_PACKAGES}" ] \
 || { apt-get update && apt-get install --yes --no-install-recommends ${BUILD_PACKAGES} && rm -rf /var/lib/apt/lists/*; }

# A participant behind a mirror names it here; what is not given is not set. A password for it comes as the secret "netrc".
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG UV_DEFAULT_INDEX
ARG UV_INDEX
ARG PIP_CERT
ARG SSL_CERT_FILE

ARG UV_VERSION=0.13.9
ENV PIP_CACHE_DIR=/cache/pip UV_CACHE_DIR=/cache/uv NETRC=/run/secrets/netrc
RUN --mount=type=cache,target=/cache/pip --mount=type=secret,id=netrc \
    python3 -m venv /opt/uv && /opt/uv/bin/pip install --quiet "uv==${UV_VERSION}"
ENV PATH=/opt/uv/bin:$PATH \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON=/app/.venv/bin/python \
    UV_PYTHON_DOWNLOADS=never

WORKDIR /app
COPY --from=manifests /manifests .
ARG EXTRAS
# Language models as requirement lines with hashes, for strangers hold many official names; they bring the extra "names" along.
ARG LANGUAGE_MODELS=""
# What packages test themselves with stays out.
# hadolint ignore=SC2046
RUN --mount=type=cache,target=/cache/uv --mount=type=secret,id=netrc \
    uv venv --quiet --python "$(command -v python3)" \
 && uv sync --quiet --no-dev --no-install-workspace $(printf -- '--extra %s ' ${EXTRAS} ${LANGUAGE_MODELS:+names}) \
 && printf '%s\n' "${LANGUAGE_MODELS}" > /tmp/models.txt \
 && uv pip install --quiet --require-hashes --no-deps --requirement /tmp/models.txt \
 && find .venv -type d -name tests -prune -exec rm -r '{}' +

# The packages of this repository apart from all others: a commit adds kilobytes to what a node must pull.
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/cache/uv --mount=type=secret,id=netrc \
    uv build --quiet --all-packages --wheel --out-dir /tmp/wheels \
 && uv pip install --quiet --no-deps --target /app/services /tmp/wheels/*.whl


FROM ${BASE_IMAGE}
ARG EXTRAS
# The extra "spark" needs a Java: the distribution's own, 17 or newer from Debian 12 on.
# hadolint ignore=DL3008
RUN case " ${EXTRAS} " in *" spark "*) \
      apt-get update \
       && apt-get install --yes --no-install-recommends default-jre-headless \
       && apt-get clean && rm -rf /var/lib/apt/lists/* ;; \
    esac

COPY --from=build /app/.venv /app/.venv
COPY --from=build /app/uv.lock /app/uv.lock
COPY --from=build /app/services /app/services
COPY examples /data/examples

ENV PATH=/app/services/bin:/app/.venv/bin:$PATH \
    PYTHONPATH=/app/services \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DAGSTER_HOME=/opt/dagster/dagster_home \
    DAGSTER_DISABLE_TELEMETRY=1 \
    DATA_ROOT=/data

# Last, because they change with every commit. And before a RUN: buildah knows by it that they have changed, and by no other line.
ARG GIT_SHA=""
ARG VERSION=""
ARG IMAGE=""
ARG SOURCE=""
ARG CREATED=""
RUN groupadd --gid 10001 simpl \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin simpl \
 && install --directory --owner=10001 --group=10001 /data /data/output /dagster/shared /opt/dagster/dagster_home
ENV GIT_SHA=${GIT_SHA} \
    VERSION=${VERSION} \
    DAGSTER_CURRENT_IMAGE=${IMAGE}
LABEL org.opencontainers.image.title="template-code-location" \
      org.opencontainers.image.description="Dagster code location with data-protection services" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.revision="${GIT_SHA}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.created="${CREATED}"

WORKDIR /app
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
EXPOSE 4000
HEALTHCHECK --interval=30s --timeout=20s --start-period=60s --retries=3 \
  CMD ["dagster", "api", "grpc-health-check", "-p", "4000"]
CMD ["dagster", "api", "grpc", "-h", "0.0.0.0", "-p", "4000", "-m", "template_code_location.repository"]
