SELECT l.pid, l.ctime FROM public.yoyo_lock AS l
