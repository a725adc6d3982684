"""Bodies and answers as Pydantic models."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Language = Annotated[
    str,
    StringConstraints(min_length=2, max_length=10, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$"),
]
Status = Literal["draft", "active", "in_review", "completed", "archived"]
Step = Annotated[int, Field(ge=1, le=4)]
Score = Annotated[float, Field(ge=0, le=100)]


class Body(BaseModel):
    """A request body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class ProjectCreate(Body):
    """A new project."""

    name: Name
    language: Language
    status: Status = "draft"
    current_step: Step = 1
    metadata: dict[str, Any] = Field(default_factory=dict)
    created_by: UUID | None = None


class ProjectUpdate(Body):
    """What changes of a project."""

    name: Name | None = None
    status: Status | None = None
    current_step: Step | None = None
    metadata: dict[str, Any] | None = None


class DocumentCreate(Body):
    """The next version of a document."""

    document_type: Annotated[str, StringConstraints(min_length=1, max_length=50)]
    content: Annotated[str, StringConstraints(min_length=1, max_length=1024 * 1024)]
    metadata: dict[str, Any] = Field(default_factory=dict)
    readability_score: Score | None = None
    grammar_score: Score | None = None
    created_by: UUID | None = None


class Shown(BaseModel):
    """An answer, made from a row."""

    model_config = ConfigDict(from_attributes=True)


class Project(Shown):
    """A project as it is answered."""

    id: UUID
    name: str
    status: str
    language: str
    current_step: int
    metadata: dict[str, Any] = Field(validation_alias="meta")
    created_by: UUID | None
    version: int
    created_at: datetime
    updated_at: datetime


class Projects(BaseModel):
    """A page of projects."""

    items: list[Project]
    next_cursor: str | None


class Created(BaseModel):
    """The ids of what was made, in order."""

    ids: list[UUID]


class Document(Shown):
    """A document version as it is answered."""

    id: UUID
    project_id: UUID
    document_type: str
    version: int
    revision: int
    content_sha256: str
    bytes: int
    content: str
    metadata: dict[str, Any]
    readability_score: float | None
    grammar_score: float | None
    created_by: UUID | None
    based_on: UUID | None
    created_at: datetime
    updated_at: datetime


class Hit(Shown):
    """A document version that was found."""

    id: UUID
    project_id: UUID
    document_type: str
    version: int
    bytes: int
    rank: float
    fragments: str


class Hits(BaseModel):
    """A page of what was found."""

    items: list[Hit]
    next_cursor: str | None


class Metrics(Shown):
    """What became of a project's executions, in figures."""

    days: int
    since: datetime
    total: int
    by_status: dict[str, int]
    success_rate: float | None
    duration_ms: dict[str, float | None]
    by_agent_type: dict[str, dict[str, float | None]]
    per_day: list[dict[str, Any]]
    recent: list[dict[str, Any]]
