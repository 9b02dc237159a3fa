# The app with its packages and a trained model inside: it starts in seconds and asks no network.
#
#   docker build --tag houseprice .
#   docker run --rm --publish 8501:8501 houseprice          then open http://localhost:8501
#   docker run --rm --env PORT=9000 --publish 9000:9000 houseprice

FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_NO_INPUT=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH

# Packages before code: a change of code keeps this layer.
COPY requirements.txt /tmp/requirements.txt
RUN pip install --requirement /tmp/requirements.txt

WORKDIR /app
COPY streamlit_app.py ./
COPY .streamlit .streamlit
COPY houseprice houseprice
COPY pages pages
RUN HOUSEPRICE_MODEL_DIR=/models python -m houseprice train
# Bytecode is made once here and not at each start: the app's user may write models and nothing else.
RUN python -m compileall -q /opt/venv/lib houseprice

FROM python:3.11-slim
RUN useradd --uid 10001 --no-create-home --home-dir /app --shell /usr/sbin/nologin houseprice
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
COPY --from=build --chown=houseprice:houseprice /models /models

# One thread a valuation: more of them make each other wait when the cores are shared.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    OMP_NUM_THREADS=1 \
    HOUSEPRICE_MODEL_DIR=/models \
    HOUSEPRICE_ADDRESS=0.0.0.0 \
    PORT=8501
WORKDIR /app
USER houseprice
EXPOSE 8501

# The body is compared because Streamlit answers 200 to any path.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 CMD ["python", "-c", \
    "import os, sys, urllib.request as web; url = 'http://127.0.0.1:' + os.environ['PORT'] + '/_stcore/health'; sys.exit(web.urlopen(url, timeout=4).read() != b'ok')"]

CMD ["python", "-m", "houseprice", "app"]
