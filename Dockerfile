# looktwice for CPUs: one environment, one bundle baked in, a user without rights, nothing written outside /data and /tmp.
#
#   docker build --build-arg TORCH_INDEX=URL --tag looktwice .
#
# TORCH_INDEX is the index of PyTorch's builds for CPUs, which its installation page names: what pip finds without it
# brings several GB for GPUs on x86-64.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim-bookworm AS build
ARG TORCH_INDEX
ARG EXTRAS=serve,history,postgres,report,line
ARG BUNDLE=pocket
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    LOOKTWICE_CACHE=/opt/models \
    PATH=/opt/looktwice/bin:/usr/local/bin:/usr/bin:/bin
RUN test -n "$TORCH_INDEX" || { echo "Give --build-arg TORCH_INDEX=..., the index of PyTorch's builds for CPUs." >&2; exit 1; }
RUN python -m venv /opt/looktwice
WORKDIR /src
COPY requirements.lock ./
RUN sed -n '/^torch==/p; /^torchvision==/p' requirements.lock > torch.txt \
    && pip install --index-url "$TORCH_INDEX" --requirement torch.txt
COPY pyproject.toml README.md LICENSE app.py ./
COPY assistant assistant
COPY prompts prompts
COPY adapters adapters
COPY eval eval
RUN pip install --constraint requirements.lock ".[${EXTRAS}]"
RUN looktwice pull "$BUNDLE"

FROM python:${PYTHON}-slim-bookworm
COPY --from=build /opt/looktwice /opt/looktwice
COPY --from=build /opt/models /opt/models
RUN groupadd --gid 10001 looktwice \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin looktwice \
    && install --directory --owner 10001 --group 10001 --mode 0700 /data
ENV PATH=/opt/looktwice/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/data \
    LOOKTWICE_CACHE=/opt/models \
    LOOKTWICE_PRODUCTS=/data/products \
    LOOKTWICE_HISTORY=/data/history.sqlite \
    LOOKTWICE_KEYS=/data/keys.json \
    HF_HUB_OFFLINE=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8100
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=90s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8100/v1/health', timeout=4)"]
ENTRYPOINT ["looktwice"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8100", "--history"]
