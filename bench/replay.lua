-- wrk: sends the requests of a file in their order, again and again.
-- The file has, for each request, its length on a line and its bytes. @VERSION@ in a request becomes
-- the number of the pass, so that each If-Match names the version that the last pass left.

local heads, tails = {}, {}
local at, pass, begun = 0, 1, false

function init(args)
    local file = assert(io.open(args[1], "rb"))
    for line in file:lines() do
        local request = file:read(tonumber(line))
        local first, last = request:find("@VERSION@", 1, true)
        heads[#heads + 1] = first and request:sub(1, first - 1) or request
        tails[#heads] = first and request:sub(last + 1) or false
    end
    file:close()
end

function request()
    if not begun then -- wrk looks at one request first, and sends it nowhere
        begun = true
        return heads[1] .. (tails[1] and pass .. tails[1] or "")
    end
    at = at + 1
    if at > #heads then
        at, pass = 1, pass + 1
    end
    local tail = tails[at]
    return tail and heads[at] .. pass .. tail or heads[at]
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests": %d, "microseconds": %d, "bytes": %d, "not_2xx": %d, "broken": %d, '
            .. '"p50_us": %d, "p99_us": %d, "max_us": %d}\n',
        summary.requests, summary.duration, summary.bytes, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50), latency:percentile(99), latency.max))
end
