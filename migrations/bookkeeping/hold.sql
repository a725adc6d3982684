-- A plain `yoyo apply` waits on this row, because its own insert has the same key. The row is never
-- committed: whatever becomes of this process, nothing stays behind.
INSERT INTO public.yoyo_lock (locked, ctime, pid)
VALUES (1, clock_timestamp() AT TIME ZONE 'UTC', %(pid)s)
