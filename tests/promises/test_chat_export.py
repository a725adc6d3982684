"""A whole chat export goes in by bulk appends and comes back byte for byte."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.promises.helpers import Tenant, make_user, ok, walk
from tests.support.chats import Loader, conversations

HOW_MANY, MESSAGES = 60, 3000  # 5,000 and 100,000 are loaded by python -m tests.support.chats


def test_an_export_comes_back_byte_for_byte(tenant: Tenant) -> None:
    user = make_user(tenant.client)["id"]
    loader = Loader(tenant.client, user)
    sent = list(conversations(7, HOW_MANY, MESSAGES))
    assert max(len(messages) for _, messages in sent) > 50
    with ThreadPoolExecutor(6) as pool:
        loaded = list(pool.map(lambda each: loader.load(*each), sent))
        assert all(pool.map(lambda pair: loader.is_as_sent(*pair), loaded))
    heads = {c["id"]: c for c in walk(tenant.client, "/conversations", user_id=user, limit=200)}
    assert len(heads) == HOW_MANY
    for (head, messages), (conversation, _) in zip(sent, loaded, strict=True):
        stored = heads[conversation]
        assert {name: stored[name] for name in head} == head
        assert stored["message_count"] == len(messages)
    assert ok(tenant.client.get(f"/users/{user}/storage"))["messages"]["count"] == MESSAGES
