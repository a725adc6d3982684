-- name: memories.generation :value
-- What a cached search in a user's memories must have been made at. It changes with every change of
-- a memory, and with every one that expires.
-- param: user_id uuid
-- budget: 20 buffers
SELECT coalesce((SELECT g.generation::text
                   FROM assistant.memory_generations AS g
                  WHERE g.tenant_id = :tenant_id
                    AND g.user_id = :user_id), 'none')
       || '-' ||
       coalesce((SELECT (extract(epoch FROM max(m.expires_at)) * 1000000)::bigint
                   FROM assistant.memories AS m
                  WHERE m.tenant_id = :tenant_id
                    AND m.user_id = :user_id
                    AND m.expires_at <= now()), 0) AS generation
