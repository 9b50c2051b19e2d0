# The tagger's server, with the models that come along. Tagging only: no PyTorch.
#   docker build --tag gru-tagger .
#   docker run --rm --publish 127.0.0.1:8000:8000 gru-tagger
#   docker run --rm --publish 127.0.0.1:8000:8000 --volume ./model:/model:ro gru-tagger --model /model
FROM python:3.12-slim AS build
WORKDIR /source
RUN pip install --no-cache-dir build==1.6.1
COPY . .
RUN python -m build --wheel --outdir /wheels

FROM python:3.12-slim
COPY constraints.txt /tmp/constraints.txt
COPY --from=build /wheels /tmp/wheels
# EXTRAS=serve,fast adds compiled loops, which are faster and need 200 MB more
ARG EXTRAS=serve
RUN pip install --no-cache-dir --constraint /tmp/constraints.txt "$(echo /tmp/wheels/*.whl)[${EXTRAS}]" \
    && rm -r /tmp/wheels /tmp/constraints.txt \
    && useradd --create-home --uid 10001 tagger
USER 10001
WORKDIR /home/tagger
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
# outside the container, --publish decides who reaches the server
ENTRYPOINT ["tagger", "serve", "--host", "0.0.0.0", "--port", "8000"]
CMD ["--model", "en-ner", "--model", "en-pos"]
