-- Pushes images of three small layers: for each of four blobs POST, PATCH, PUT as docker does (or POST, PUT as
-- containerd does), then the manifest. One connection per thread, so that answers belong to the last request.
-- Each thread reads its own plan, written by bench/rows/pushes.py: first a line with repository and Authorization,
-- then one line per image: unique suffix, and the digests of config and layers. Bodies are the common text of
-- blob-N plus the suffix, so that nothing is hashed or read while the clock runs.

local counter = 0
local threads = {}

function setup(thread)
  thread:set("number", counter)
  counter = counter + 1
  threads[#threads + 1] = thread
end

local function slurp(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local repository, authorization, mode
local common, lines = {}, {}
local at, blob, step, location = 1, 1, "start", nil
local suffix, digests = nil, {}
images, steps, failures, exhausted, first_failure = 0, 0, 0, 0, ""

local function load_image()
  local fields = {}
  for word in lines[at]:gmatch("%S+") do fields[#fields + 1] = word end
  suffix, digests = fields[1], { fields[2], fields[3], fields[4], fields[5] }
end

function init(args)
  -- wrk asks for a pause before each request only where this function is there.
  local pause = tonumber(args[3])
  if pause > 0 then delay = function() return pause end end
  local folder = args[1]
  mode = args[2]
  for n = 1, 4 do common[n] = slurp(folder .. "/blob-" .. n) end
  for line in io.lines(folder .. "/plan-" .. number) do lines[#lines + 1] = line end
  repository, authorization = lines[1]:match("^(%S+) ?(.*)$")
  table.remove(lines, 1)
  load_image()
end

-- The configuration is JSON, which the suffix would break: its common text ends inside a string.
local tails = { '"}', "", "", "" }

local function body_of(n)
  return common[n] .. suffix .. tails[n]
end

local function message(method, path, kind, body)
  local head = method .. " " .. path .. " HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port .. "\r\n"
  if authorization ~= "" then head = head .. "Authorization: " .. authorization .. "\r\n" end
  if kind then head = head .. "Content-Type: " .. kind .. "\r\n" end
  return head .. "Content-Length: " .. #body .. "\r\n\r\n" .. body
end

local function manifest()
  local function descriptor(n, kind)
    return '{"mediaType":"application/vnd.oci.image.' .. kind .. '","digest":"' .. digests[n] ..
      '","size":' .. (#common[n] + #suffix + #tails[n]) .. "}"
  end
  return '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":' ..
    descriptor(1, "config.v1+json") .. ',"layers":[' .. descriptor(2, "layer.v1.tar") .. "," ..
    descriptor(3, "layer.v1.tar") .. "," .. descriptor(4, "layer.v1.tar") .. "]}"
end

local function closing_url()
  return location .. (location:find("?", 1, true) and "&" or "?") .. "digest=" .. digests[blob]
end

-- Asked again for the same request when a connection broke, so it changes nothing.
function request()
  local octets = "application/octet-stream"
  if step == "start" then return message("POST", "/v2/" .. repository .. "/blobs/uploads/", nil, "") end
  if step == "patch" then return message("PATCH", location, octets, body_of(blob)) end
  if step == "close" then
    return message("PUT", closing_url(), octets, mode == "monolithic" and body_of(blob) or "")
  end
  return message("PUT", "/v2/" .. repository .. "/manifests/" .. suffix,
    "application/vnd.oci.image.manifest.v1+json", manifest())
end

local function next_image()
  images = images + 1
  at, blob, step = at + 1, 1, "start"
  if at > #lines then
    exhausted, at = 1, #lines
    wrk.thread:stop()
  end
  load_image()
end

local function advance()
  steps = steps + 1
  if step == "start" then
    step = mode == "monolithic" and "close" or "patch"
  elseif step == "patch" then
    step = "close"
  elseif step == "close" then
    blob = blob + 1
    step = "start"
    if blob > 4 then blob, step = 1, "manifest" end
  else
    next_image()
  end
end

function response(status, headers, body)
  if status ~= 201 and status ~= 202 then
    failures = failures + 1
    if failures == 1 then first_failure = step .. " " .. status .. " " .. body:sub(1, 200):gsub("%s+", " ") end
    at, blob, step = at + 1, 1, "start"
    if at > #lines then exhausted, at = 1, #lines; wrk.thread:stop() end
    load_image()
    return
  end
  local answered = headers["Location"] or headers["location"]
  if answered then location = answered:gsub("^https?://[^/]+", "") end
  advance()
end

function done(summary, latency, requests)
  local pushed, taken, failed, ran_out, text = 0, 0, 0, 0, ""
  for _, thread in ipairs(threads) do
    pushed = pushed + thread:get("images")
    taken = taken + thread:get("steps")
    failed = failed + thread:get("failures")
    ran_out = ran_out + thread:get("exhausted")
    if text == "" then text = thread:get("first_failure") end
  end
  print(string.format("images=%d steps=%d failures=%d exhausted=%d first=%s", pushed, taken, failed, ran_out, text))
end
