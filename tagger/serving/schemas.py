"""The content of requests and answers, as the OpenAPI description shows it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

MOST_ALTERNATIVES = 20
Probability = Annotated[float, Field(ge=0, le=1)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class TagRequest(_Request):
    """Texts to tag: `text` or `texts`."""

    text: str | None = Field(None, description="one text", examples=["Ada Lovelace lived in London."])
    texts: list[str] | None = Field(None, description="several texts")
    model: str | None = Field(None, description="name of a model, as GET /models lists them; default: the first")
    scores: bool = Field(False, description="add the probability of each entity, or of each plain tag")
    n_best: int = Field(0, ge=0, le=MOST_ALTERNATIVES, description="add so many of the most probable taggings")
    min_score: Probability | dict[str, Probability] = Field(
        0.0, description="leave out entities that are less probable; a number, or one for each label"
    )
    tokens: bool = Field(False, description="add sentences with their tokens and tags")


class FoundEntity(BaseModel):
    """A labelled span of a text, half-open, in Unicode code points."""

    start: int
    end: int
    label: str
    text: str
    score: float | None = None


class TaggedDocument(BaseModel):
    """A tagged text. `sentences` are there if asked for, and always for models of plain tags."""

    entities: list[FoundEntity]
    sentences: list[dict[str, Any]] | None = None


class TagAnswer(BaseModel):
    """A document for each text, in order."""

    model: str
    documents: list[TaggedDocument]


class GatesRequest(_Request):
    """A text to explain, of which one sentence is shown."""

    text: str
    model: str | None = None
    sentence: int = Field(0, ge=0, description="number of the sentence, from 0")


class ModelInfo(BaseModel):
    """A model of this server."""

    name: str
    labels: list[str]
    plain: bool
    language: str
    gates: bool


class Models(BaseModel):
    """All models of this server, the default one first."""

    models: list[ModelInfo]


class Problem(BaseModel):
    """Why a request failed."""

    status: int
    message: str


class Failure(BaseModel):
    """The answer to a request that failed."""

    error: Problem


class LabelStudioTasks(BaseModel):
    """Label Studio's request for predictions. Fields that are not used here are passed over."""

    tasks: list[dict[str, Any]]
    label_config: str | None = None
    params: dict[str, Any] | None = None
