-- SPDX-License-Identifier: MIT
-- What wrk sends: each request with a token, a session or an order of its own, all of one length.
--
-- usage: wrk -t1 ... -s wrk.lua URL -- KIND FIRST [STOP-AT [RATE [FIELD: VALUE]...]]
--   clicks   POST /v1/clicks with a landing URL and a session
--   landing  GET /landing with both, as a browser would
--   orders   POST /v1/orders with an order and a session
--   tokens   POST /v1/orders with an order and a token
--   products GET of the URL's path, with the fields: what a gateway is asked
-- Counts from FIRST. When it has counted to STOP-AT it sends no more and prints "stopped": wrk itself
-- would wait for the end of its time, so whoever reads this line has to interrupt it. With a RATE (0:
-- none) the requests have moments at which they are due, so many a second, and each connection that is
-- free takes the next one: the rate is steady as long as some connection is free. The last line that it
-- prints is JSON, for load.py.
next_n = 0 -- global: done() asks for it

local kind, stop_at
local head = {}
local threads = {}

function setup(thread)
	threads[#threads + 1] = thread
end

local function token_of(n)
	return string.format("%05x-%04x-abc-12345", n % 0x100000, math.floor(n / 0x100000))
end

-- Each n another one, and neighbours far apart, as session ids are.
local function session_of(n)
	return string.format("%08x-b7d0c2f4a19e6358c0d1e2f", (n * 2654435761) % 0x100000000)
end

local function url_of(n)
	return "/landing?channel=sovendus&sovReqToken=" .. token_of(n)
end

local body_of = {
	clicks = function(n)
		return '{"url":"https://shop.example' .. url_of(n) .. '","session":"' .. session_of(n) .. '"}'
	end,
	orders = function(n)
		return string.format('{"order":"%010d","session":"%s"}', n, session_of(n))
	end,
	tokens = function(n)
		return string.format('{"order":"%010d","token":"%s"}', n, token_of(n))
	end,
}
local path_of = { clicks = "/v1/clicks", orders = "/v1/orders", tokens = "/v1/orders" }

local function posted(n)
	return head.post .. body_of[kind](n)
end

local function got(n)
	return "GET " .. url_of(n) .. head.get .. session_of(n) .. "\r\n\r\n"
end

local make

-- Has a request wait for the moment at which it is due. wrk asks for a global function of this name.
local function paced(rate)
	local ffi = require("ffi")
	ffi.cdef("struct bench_time { long s, ns; }; int clock_gettime(int, struct bench_time *);")
	local time, due = ffi.new("struct bench_time"), nil
	return function()
		ffi.C.clock_gettime(1, time) -- CLOCK_MONOTONIC
		local now = tonumber(time.s) * 1000 + tonumber(time.ns) / 1e6
		due = (due or now) + 1000 / rate
		return math.max(0, math.floor(due - now))
	end
end

function init(args)
	kind, next_n = args[1], tonumber(args[2])
	stop_at = tonumber(args[3] or 0)
	local rate = tonumber(args[4] or 0)
	if rate > 0 then
		delay = paced(rate) -- global: wrk looks for it
	end
	local host = " HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port .. "\r\n"
	if kind == "products" then
		local same = "GET " .. wrk.path .. host
		for i = 5, #args do
			same = same .. args[i] .. "\r\n"
		end
		same = same .. "\r\n"
		make = function()
			return same
		end
	elseif kind == "landing" then
		head.get, make = host .. "Cookie: sid=", got
	else
		head.post = "POST " .. path_of[kind] .. host .. "Content-Type: application/json\r\n" ..
			"Content-Length: " .. #body_of[kind](0) .. "\r\n\r\n"
		make = posted
	end
end

function request()
	local n = next_n
	next_n = n + 1
	if stop_at > 0 and n >= stop_at then
		wrk.thread:stop()
		if n == stop_at then
			io.stdout:write("stopped\n")
			io.stdout:flush()
		end
	end
	return make(n)
end

function done(summary, latency)
	local e = summary.errors
	io.write(string.format(
		'\n{"requests":%d,"duration_us":%d,"next":%d,"refused":%d,"broken":%d,' ..
			'"p50_us":%d,"p90_us":%d,"p99_us":%d,"max_us":%d}\n',
		summary.requests, summary.duration, threads[1]:get("next_n"), e.status,
		e.connect + e.read + e.write + e.timeout, latency:percentile(50),
		latency:percentile(90), latency:percentile(99), latency.max))
end
