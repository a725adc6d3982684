"""What a verb can do: the effects, each with the slots that have a place of their own in a row.

What a form says beyond the slots is kept too, as `props` of the row. The statements that carry the
effects out are named queries; here is only what they take.
"""

from __future__ import annotations

from msgspec import Struct


class Effect(Struct, frozen=True):
    """`slots` of the row; `needs` are those that must be filled; `of_case`: only within a case."""

    slots: tuple[str, ...]
    needs: tuple[str, ...] = ()
    of_case: bool = True


_CASE = ("case_type", "title", "priority", "jurisdiction", "customer_name", "assigned_to")

EFFECTS: dict[str, Effect] = {
    "case.create": Effect(_CASE),
    "case.update": Effect(_CASE),
    "case.transition": Effect(("to_state", "reason"), ("to_state",)),
    "entity.upsert": Effect(
        ("entity_id", "entity_type", "name", "jurisdiction"), ("entity_id",), of_case=False
    ),
    "entity.link": Effect(
        ("from_entity", "to_entity", "relationship_type", "ownership_percent", "verification",
         "evidence"),
        ("from_entity", "to_entity"), of_case=False,
    ),
    "role.assign": Effect(("entity_id", "role"), ("entity_id", "role")),
    "product.set": Effect(("product", "products", "status"), ()),
    "document.put": Effect(
        ("document_id", "document_type", "title", "status", "entity_id"), ("document_id",)
    ),
    "value.set": Effect(
        ("attribute", "value", "bindings", "subject_kind", "subject_id", "entity_id", "source",
         "state"),
        (), of_case=False,
    ),
    "attribute.define": Effect(
        ("attribute_id", "name", "mask", "group_id", "domain", "long_description", "rules"),
        ("name",), of_case=False,
    ),
    "event": Effect((), of_case=False),
}  # fmt: skip

INITIAL_STATE = "created"
