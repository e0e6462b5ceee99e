# syntax=docker/dockerfile:1
ARG PYTHON=3.13-slim-bookworm

FROM python:${PYTHON} AS build
# What builds the package is pinned like what it needs: pip would fetch the newest.
ARG SETUPTOOLS=80.9.0
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY .ci/constraints.txt .ci/constraints.txt
COPY src src
# Checked hashes instead of times of change: the same sources give the same files, and nothing is written at run time.
RUN python -m venv /opt/podtide \
    && /opt/podtide/bin/python -m pip install --no-cache-dir --no-compile "setuptools==${SETUPTOOLS}" \
    && /opt/podtide/bin/python -m pip install --no-cache-dir --no-compile --no-build-isolation --constraint .ci/constraints.txt . \
    && /opt/podtide/bin/python -m pip uninstall --yes setuptools pip \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/podtide

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="podtide" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/podtide /opt/podtide
ENV PATH=/opt/podtide/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /tmp
EXPOSE 8080 8081
# For a plain container runtime; Kubernetes asks /livez and /readyz itself.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8081/livez', timeout=3)"]
ENTRYPOINT ["podtide"]
CMD ["run"]
