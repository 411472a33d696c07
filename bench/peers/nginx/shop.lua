-- SPDX-License-Identifier: MIT
-- The same two requests as server.mjs, answered inside nginx: a token kept for a day, an order kept
-- once and queued for a worker. Redis answers when it is on disk (appendfsync always).
local cjson = require "cjson.safe"
local redis = require "nginx.redis"

local DAY = 86400
local POOL_MS, POOL_SIZE = 60000, 1024
local port = tonumber(os.getenv("REDIS_PORT"))

local shop = {}

-- Whatever goes wrong is a 500: an answer that is not 2xx does not count.
local function fail(problem)
	ngx.log(ngx.ERR, problem)
	ngx.exit(500)
end

local function connected()
	local client = redis:new()
	local ok, problem = client:connect("127.0.0.1", port)
	if not ok then
		fail(problem)
	end
	return client
end

local function fields()
	ngx.req.read_body()
	local body = cjson.decode(ngx.req.get_body_data() or "")
	if not body then
		ngx.exit(400)
	end
	return body
end

local function answer(client, status, body)
	client:set_keepalive(POOL_MS, POOL_SIZE)
	ngx.status = status
	ngx.print(cjson.encode(body))
end

function shop.ready()
	answer(connected(), 200, { ready = true })
end

function shop.click()
	local body = fields()
	local token = ngx.re.match(body.url, [=[[?&]sovReqToken=([A-Za-z0-9_-]+)]=], "jo")
	local client = connected()
	if not token then
		return answer(client, 200, { captured = false })
	end
	local ok, problem = client:set("sovendus_token_" .. body.session, token[1], "EX", DAY)
	if not ok then
		fail(problem)
	end
	answer(client, 201, { captured = true })
end

function shop.order()
	local body = fields()
	local client = connected()
	local token, problem = client:get("sovendus_token_" .. body.session)
	if not token then
		fail(problem)
	end
	if token == ngx.null then
		return answer(client, 200, { order = body.order, state = "unattributed" })
	end
	client:init_pipeline()
	client:multi()
	client:set("order_" .. body.order, token, "NX")
	client:xadd("deliveries", "*", "order", body.order, "token", token)
	client:exec()
	local results
	results, problem = client:commit_pipeline()
	if not results then
		fail(problem)
	end
	answer(client, 202, { order = body.order, state = "pending" })
end

return shop
