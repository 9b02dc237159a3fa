# The app and the API in one image, with their packages and a trained model: it starts in seconds,
# makes no network connections, and writes only to /tmp. Usage: docs/deploy/containers.md.
#
#   docker build --tag houseprice .
#   docker run --rm --publish 8501:8501 houseprice                              the app
#   docker run --rm --publish 8000:8000 --env HOUSEPRICE_SERVE_KEYS houseprice houseprice serve

# Tag and digest pin the Python image; docs/deploy/containers.md describes the update.
ARG PYTHON_IMAGE=python:3.11-slim@sha256:9c900dea9e8fb7e16277c179b555cc72d29a352dbc33cff48ad5a0412fd5bfc7


# ---- the packages: a large layer that changes rarely
FROM ${PYTHON_IMAGE} AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_NO_COMPILE=1 \
    PIP_NO_INPUT=1 \
    PIP_ROOT_USER_ACTION=ignore
# Without pip, so that nothing can be installed at run time.
RUN python -m venv --without-pip /opt/venv
# With --build-arg EXTRAS=postgresql also the driver of PostgreSQL, which is LGPL.
ARG EXTRAS=
COPY requirements.txt requirements-postgresql.txt /build/
RUN pip --python /opt/venv/bin/python install --require-hashes --requirement /build/requirements.txt \
        ${EXTRAS:+--requirement "/build/requirements-$EXTRAS.txt"}
# Without tests and headers of the packages; compiled here instead of at each start.
# Unchecked bytecode: the files never change, so their times are not compared.
RUN cd /opt/venv/lib/python3*/site-packages \
    && find numpy pandas pyarrow scipy sklearn -type d \( -name tests -o -name include \) -prune \
        -exec rm -r {} + \
    && /opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash .


# ---- our wheel, as a release publishes it, and a model of the embedded market
FROM packages AS build
COPY pyproject.toml README.md LICENSE streamlit_app.py /build/
COPY .streamlit/config.toml /build/.streamlit/
COPY docs/privacy.md /build/docs/
COPY pages /build/pages
COPY houseprice /build/houseprice
RUN pip wheel --no-deps --wheel-dir /build/dist /build \
    && pip --python /opt/venv/bin/python install --no-deps --prefix /opt/houseprice /build/dist/*.whl \
    && /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/houseprice \
    && cp -a /opt/houseprice/. /opt/venv
# With --secret id=signing_key,src=FILE the model is signed, and the key is in no layer.
RUN --mount=type=secret,id=signing_key \
    if [ -s /run/secrets/signing_key ]; then \
        HOUSEPRICE_SIGNING_KEY="$(cat /run/secrets/signing_key)"; export HOUSEPRICE_SIGNING_KEY; \
    fi; \
    HOUSEPRICE_MODEL_DIR=/models /opt/venv/bin/houseprice train \
    && chmod -R a+rX /models


# ---- the final image
FROM ${PYTHON_IMAGE}
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin houseprice
COPY --from=packages /opt/venv /opt/venv
COPY --from=build /opt/houseprice /opt/venv
COPY --chmod=0444 deploy/image/healthy.py /opt/healthy.py
# Owned by the user: a volume mounted here is initialized with this model.
# Readable by any other: some platforms choose the user (Heroku, OpenShift).
COPY --from=build --chown=10001:10001 /models /models
# Saving needs a volume here: with a read-only root it is refused, so that nothing is lost in silence.
RUN install -d -m 700 -o 10001 -g 10001 /records

# One thread per valuation: more threads compete for shared cores.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    OMP_NUM_THREADS=1 \
    HOUSEPRICE_MODEL_DIR=/models \
    HOUSEPRICE_DATABASE_URL=sqlite:////records/records.sqlite \
    HOUSEPRICE_ADDRESS=0.0.0.0
WORKDIR /tmp
# A numeric user, so that a cluster can verify that it is not root.
USER 10001:10001
# Default ports of the app and the API; PORT overrides them.
EXPOSE 8501 8000

HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-I", "-S", "/opt/healthy.py"]
CMD ["houseprice", "app"]

ARG REVISION=unknown
ARG VERSION=unknown
LABEL org.opencontainers.image.title="houseprice" \
      org.opencontainers.image.description="House values with honest ranges: the app and the API" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.version="${VERSION}"
