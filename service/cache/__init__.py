"""Answers kept for the next one who asks: in this process, or in a server of Valkey's protocol.

Nothing here decides whether an entry is still right: whoever asks names the generation that the
database told him in the same request, and an entry is only found under its own. `cache.py` is what
handlers use, `stores.py` and `server.py` keep the bytes. Why that is never stale: docs/caching.md.
"""
