# Images of Gatewise. docs/deploy.md says how to build and run them, docs/adr/0018 why they are so.
#
#   serve       the service on CPU (the default target)
#   serve-cuda  the service on an NVIDIA GPU
#   train       `python -m model_export`: training, export, verification
#   balancer    HAProxy in front of replicas
#   wheelhouse  only files: the wheels that another build needs, for a site without an index

ARG PYTHON=python:3.11-slim-bookworm

# Replaced by `--build-context wheels=DIRECTORY`.
FROM scratch AS wheels

# ---- Build stages: what they leave behind is copied out of them.

FROM ${PYTHON} AS build
# 1 together with wheels: no index is asked. A mirror: PIP_INDEX_URL.
ARG PIP_NO_INDEX
ARG PIP_INDEX_URL
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY pyproject.toml constraints.txt deploy/requirements.py deploy/trim.sh ./
RUN python requirements.py >requirements.txt && python requirements.py train >train.txt

# Built by itself, so that a change of the source does not install the dependencies anew.
FROM build AS package
RUN --mount=type=bind,from=wheels,target=/wheels \
    python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"])' \
    | xargs python -m pip install --quiet --find-links /wheels wheel==0.45.1
COPY README.md LICENSE ./
COPY service service
COPY model_export model_export
RUN python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /package .

FROM build AS dependencies
RUN --mount=type=bind,from=wheels,target=/wheels \
    python -m venv --without-pip /opt/gatewise \
    && python -m pip --python /opt/gatewise/bin/python install --quiet --find-links /wheels \
       --constraint constraints.txt --requirement requirements.txt

FROM dependencies AS serve-environment
RUN --mount=type=bind,from=package,source=/package,target=/package \
    python -m pip --python /opt/gatewise/bin/python install --quiet --no-deps --no-index /package/*.whl \
    && sh /build/trim.sh

FROM build AS cuda-dependencies
# The newest release for GPUs may lag behind the one for CPUs. It brings CUDA and cuDNN along.
ARG ONNXRUNTIME_GPU=onnxruntime-gpu[cuda,cudnn]==1.31.1
RUN --mount=type=bind,from=wheels,target=/wheels \
    python -m venv --without-pip /opt/gatewise \
    && sed -i "s/^onnxruntime==.*/${ONNXRUNTIME_GPU}/" requirements.txt \
    && python -m pip --python /opt/gatewise/bin/python install --quiet --find-links /wheels \
       --constraint constraints.txt --requirement requirements.txt

FROM cuda-dependencies AS cuda-environment
RUN --mount=type=bind,from=package,source=/package,target=/package \
    python -m pip --python /opt/gatewise/bin/python install --quiet --no-deps --no-index /package/*.whl \
    && sh /build/trim.sh

FROM dependencies AS train-dependencies
# PyTorch without CUDA. Not asked where the wheels have PyTorch already; empty: from the usual index.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN --mount=type=bind,from=wheels,target=/wheels \
    if [ -z "$(find /wheels -name 'torch-*.whl')" ] && [ -n "$TORCH_INDEX" ]; \
    then set -- --extra-index-url "$TORCH_INDEX"; fi \
    && python -m pip --python /opt/gatewise/bin/python install --quiet --find-links /wheels "$@" \
       --constraint constraints.txt --requirement train.txt

FROM train-dependencies AS train-environment
RUN --mount=type=bind,from=package,source=/package,target=/package \
    python -m pip --python /opt/gatewise/bin/python install --quiet --no-deps --no-index /package/*.whl

FROM build AS download
# "requirements.txt" for the service, "train.txt" for training as well.
ARG REQUIREMENTS=requirements.txt
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN --mount=type=bind,from=wheels,target=/wheels \
    if [ -z "$(find /wheels -name 'torch-*.whl')" ] && [ "$REQUIREMENTS" = train.txt ] && [ -n "$TORCH_INDEX" ]; \
    then set -- --extra-index-url "$TORCH_INDEX"; fi \
    && python -m pip download --quiet --dest /downloaded --find-links /wheels "$@" \
       --constraint constraints.txt --requirement "$REQUIREMENTS" setuptools==84.2.1 wheel==0.45.1

FROM scratch AS wheelhouse
COPY --from=download /downloaded /

# ---- Images that run.

FROM ${PYTHON} AS system
# The numbers are fixed: volumes keep them.
RUN python -m pip uninstall --quiet --yes --root-user-action ignore pip setuptools wheel \
    && rm -rf /usr/local/lib/python3.11/ensurepip /usr/local/bin/pip* \
    && groupadd --gid 10001 gatewise \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin gatewise \
    && mkdir /models /data /runs && chown gatewise:gatewise /models /data /runs
COPY --chmod=755 deploy/healthcheck.py /usr/local/bin/healthcheck

# One layer: what was removed above is not in an image below it either.
FROM scratch AS runtime
COPY --from=system / /
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Gatewise" \
      org.opencontainers.image.description="Serves recurrent networks made of Gated Recurrent Units over HTTP" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/opt/gatewise/bin:/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1

FROM ${PYTHON} AS balancer
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends haproxy >/dev/null \
    && rm -rf /var/lib/apt/lists/*
COPY --chmod=755 deploy/healthcheck.py /usr/local/bin/healthcheck
COPY deploy/haproxy.cfg /etc/haproxy/haproxy.cfg
USER haproxy
EXPOSE 8000
STOPSIGNAL SIGUSR1
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --start-interval=500ms --retries=3 \
    CMD ["healthcheck", "/balancer/ready"]
ENTRYPOINT ["haproxy", "-db", "-f", "/etc/haproxy/haproxy.cfg"]

FROM runtime AS train
COPY --from=train-environment /opt/gatewise /opt/gatewise
# Matplotlib and PyTorch look for places to write in.
ENV HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib TORCHINDUCTOR_CACHE_DIR=/tmp/torch
USER 10001:10001
WORKDIR /runs
VOLUME /models /runs
ENTRYPOINT ["python", "-m", "model_export"]
CMD ["demos", "--repository", "/models", "--runs", "/runs"]

FROM runtime AS service
ENV GATEWISE_HOST=0.0.0.0 GATEWISE_PORT=8000 GATEWISE_REPOSITORY=/models GATEWISE_STORE=sqlite:////data/gatewise.db
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
# Liveness, not readiness: whoever restarts what is unhealthy must not restart replicas while their
# store is away. The service listens when its models are loaded and its store is open.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --start-interval=500ms --retries=3 \
    CMD ["healthcheck"]
ENTRYPOINT ["python", "-m", "service"]

FROM service AS serve-cuda
COPY --from=cuda-environment /opt/gatewise /opt/gatewise
ENV GATEWISE_DEVICE=cuda NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

FROM service AS serve
COPY --from=serve-environment /opt/gatewise /opt/gatewise
