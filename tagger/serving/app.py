"""The application: paths, and what answers them. The only module that imports FastAPI."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from tagger.corpus.document import Document
from tagger.errors import UserError
from tagger.serving import labelstudio, schemas
from tagger.serving.answers import JsonAnswer, error_answer
from tagger.serving.batching import BusyError, How
from tagger.serving.guard import PUBLIC, Guard
from tagger.serving.labelstudio import LabelingConfig
from tagger.serving.metrics import CONTENT_TYPE, Metrics
from tagger.serving.models import ServedModel, load_models, minimum_of
from tagger.serving.page import description_page, gates_headers, page_headers, tagging_page
from tagger.serving.settings import ServeSettings
from tagger.version import __version__

Models = Mapping[str, ServedModel]
Handler = Callable[[Request, Any], Awaitable[Response]]
_DECIMALS = 4


def app_from_environment() -> Guard:
    """Return the application of a worker process."""
    return make_app(ServeSettings.from_environment())


def make_app(settings: ServeSettings) -> Guard:
    """Load the models and return the application.

    Raises:
        UserError: a model is missing, damaged or does not fit the settings.
    """
    metrics = Metrics()
    models = load_models(settings, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        for model in models.values():
            model.start()
        yield
        for model in models.values():
            await model.stop()

    app = FastAPI(
        title="gru-tagger",
        version=__version__,
        description='Tag text with trained models. Errors are `{"error": {"status", "message"}}`.',
        lifespan=lifespan,
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        openapi_url="/openapi.json",
        responses={"4XX": {"model": schemas.Failure}, "5XX": {"model": schemas.Failure}},
    )
    _add_paths(app, models, settings, metrics)
    _add_label_studio(app, models, settings)
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    paths = [str(route.path) for route in app.routes if hasattr(route, "path")]
    return Guard(app, settings, metrics, paths)


def _add_paths(app: FastAPI, models: Models, settings: ServeSettings, metrics: Metrics) -> None:
    @app.post("/tag", summary="Tag one text or several", responses={200: {"model": schemas.TagAnswer}})
    async def tag(asked: schemas.TagRequest) -> Response:
        """Tag texts. Characters are counted in Unicode code points."""
        if (asked.text is None) == (asked.texts is None):
            raise UserError("give text, or texts, and not both")
        texts = [asked.text] if asked.text is not None else asked.texts or []
        if len(texts) > settings.max_texts:
            raise HTTPException(413, f"{len(texts):,} texts; send at most {settings.max_texts:,} at a time")
        model = _model(models, asked.model)
        minimum = minimum_of(asked.min_score, model.tagger)
        how = How(asked.scores or minimum is not None, asked.n_best)
        documents = await model.tag(texts, how, minimum)
        return JsonAnswer({"model": model.name, "documents": [_answer(one, asked) for one in documents]})

    @app.post("/gates", summary="Show the gates of a sentence, as a page", response_class=HTMLResponse)
    async def gates(asked: schemas.GatesRequest) -> Response:
        """Show what the model computes for one sentence of a text."""
        page = await _model(models, asked.model).gates(asked.text, asked.sentence)
        return HTMLResponse(page.encode("utf-8", "replace"), headers=gates_headers())

    @app.get("/models", summary="List the models", responses={200: {"model": schemas.Models}})
    async def list_models() -> Response:
        """List the models, the default one first."""
        return JsonAnswer({"models": [model.info() for model in models.values()]})

    @app.get("/health", summary="Say that the server works")
    async def health() -> Response:
        """Answer as soon as the models are loaded. Label Studio asks this too."""
        return JsonAnswer({"status": "UP", "model_class": "gru-tagger", "version": __version__})

    @app.get("/metrics", summary="Counts for Prometheus")
    async def counts() -> Response:
        """Return counts of requests, texts and batches."""
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return HTMLResponse(tagging_page(), headers=page_headers())

    @app.get("/docs", include_in_schema=False)
    async def description() -> Response:
        return HTMLResponse(description_page(app.openapi(), PUBLIC), headers=page_headers())


def _add_label_studio(app: FastAPI, models: Models, settings: ServeSettings) -> None:
    """Add what Label Studio asks of a machine-learning backend. The first model of entities answers."""

    def model_of_entities() -> ServedModel:
        found = next((model for model in models.values() if not model.tagger.plain), None)
        if found is None:
            raise UserError("Label Studio needs a model of entities; the server has none")
        return found

    @app.post("/setup", summary="Label Studio: check a project")
    async def setup(asked: dict[str, Any]) -> Response:
        """Check that a project's labelling interface fits the model."""
        model = model_of_entities()
        schema = asked.get("schema") or asked.get("label_config")
        LabelingConfig.parse(schema if isinstance(schema, str) else None).require_labels(model.tagger.labels)
        return JsonAnswer({"model_version": model.name})

    @app.post("/predict", summary="Label Studio: predict tasks")
    async def predict(asked: schemas.LabelStudioTasks) -> Response:
        """Return a prediction for each task."""
        model = model_of_entities()
        if len(asked.tasks) > settings.max_texts:
            raise HTTPException(413, f"{len(asked.tasks):,} tasks; send at most {settings.max_texts:,} at a time")
        config = LabelingConfig.parse(asked.label_config)
        config.require_labels(model.tagger.labels)
        texts = [config.text_of(task, number) for number, task in enumerate(asked.tasks)]
        documents = await model.tag(texts, How(scores=True))
        results = [labelstudio.prediction(one, config, model.name) for one in documents]
        return JsonAnswer({"results": results, "model_version": model.name})


def _model(models: Models, name: str | None) -> ServedModel:
    """Return a model by name; without one, the first.

    Raises:
        HTTPException: there is none of that name.
    """
    if name is None:
        return next(iter(models.values()))
    if name not in models:
        raise HTTPException(404, f"no model {name!r}; there are {', '.join(models)}")
    return models[name]


def _answer(document: Document, asked: schemas.TagRequest) -> dict[str, Any]:
    """Return what the answer says of a document."""
    found = document.to_dict()
    if not asked.scores:
        for one in (*found["entities"], *found["sentences"]):
            one.pop("score", None)
            one.pop("scores", None)
    for entity in found["entities"]:
        if "score" in entity:
            entity["score"] = round(entity["score"], _DECIMALS)
    answer = {"entities": found["entities"]}
    if asked.tokens or asked.n_best or document.plain:
        answer["sentences"] = found["sentences"]
    return answer


async def _on_http_error(_: Request, error: Any) -> Response:
    return error_answer(error.status_code, str(error.detail), error.headers)


async def _on_wrong_request(_: Request, error: Any) -> Response:
    """Say where the first mistake is and what it is; the values are not repeated."""
    first = error.errors()[0]
    kind, message = first["type"], first["msg"]
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    if kind == "json_invalid":
        place, message = "body", "not JSON"
    elif kind == "extra_forbidden":
        message = "no such field; /docs lists them"
    elif not place:
        message = "expected a JSON object, and the header content-type: application/json"
    return error_answer(422, f"{place or 'body'}: {message}")


async def _on_user_error(_: Request, error: Any) -> Response:
    return error_answer(400, str(error))


async def _on_busy(_: Request, __: Any) -> Response:
    return error_answer(503, "too many texts wait; try again soon", {"Retry-After": "1"})


async def _on_any_error(_: Request, __: Any) -> Response:
    return error_answer(500, "internal error; the server's log has it")


_HANDLERS: dict[Any, Handler] = {
    Exception: _on_any_error,  # raised again afterwards; the guard logs it
    HTTPException: _on_http_error,
    RequestValidationError: _on_wrong_request,
    UserError: _on_user_error,
    BusyError: _on_busy,
}
