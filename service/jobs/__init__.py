"""Work that outlives a request: a queue of jobs, and one leader for what is done from time to time.

`queue.py` is what the code of a kind of job sees, `worker.py` takes jobs and keeps their leases,
`leader.py` runs periodic tasks in one process at a time. Nothing here knows a subject: kinds and
tasks are handed in by `app.py`.
"""
