"""The tables as SQLAlchemy maps them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, FetchedValue, Integer, LargeBinary, Numeric, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_MADE = FetchedValue()  # by the database: a default or a trigger


class Base(DeclarativeBase):
    """All tables; all in one schema."""

    __table_args__ = {"schema": "workspace"}  # noqa: RUF012
    type_annotation_map = {  # noqa: RUF012
        str: Text, UUID: Uuid, dict[str, Any]: JSONB, datetime: DateTime(timezone=True),
        Decimal: Numeric(5, 2),
    }  # fmt: skip


class Project(Base):
    """workspace.projects."""

    __tablename__ = "projects"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_MADE)
    name: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=_MADE)
    language: Mapped[str]
    current_step: Mapped[int] = mapped_column(Integer, server_default=_MADE)
    # "metadata" is taken: every declarative class has one
    meta: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=_MADE)
    created_by: Mapped[UUID | None]
    version: Mapped[int] = mapped_column(BigInteger, server_default=_MADE)
    created_at: Mapped[datetime] = mapped_column(server_default=_MADE)
    updated_at: Mapped[datetime] = mapped_column(server_default=_MADE)
    deleted_at: Mapped[datetime | None]


class Document(Base):
    """workspace.document_versions, but for the search vector, which only PostgreSQL reads."""

    __tablename__ = "document_versions"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_MADE)
    project_id: Mapped[UUID]
    document_type: Mapped[str]
    version: Mapped[int] = mapped_column(Integer, server_default=_MADE)
    revision: Mapped[int] = mapped_column(Integer, server_default=_MADE)
    content: Mapped[str]
    content_sha256: Mapped[bytes] = mapped_column(LargeBinary, server_default=_MADE)
    meta: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=_MADE)
    readability_score: Mapped[Decimal | None]
    grammar_score: Mapped[Decimal | None]
    created_by: Mapped[UUID | None]
    based_on: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=_MADE)
    updated_at: Mapped[datetime] = mapped_column(server_default=_MADE)
    deleted_at: Mapped[datetime | None]
