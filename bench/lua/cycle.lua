-- Asks for a list of paths again and again, one path per line of the file args[1]; requests are made once, at the start.

local prepared, at = {}, 0

function init(args)
  -- args[2]: milliseconds before each request; wrk asks only where this function is there.
  local pause = tonumber(args[2] or "0")
  if pause > 0 then delay = function() return pause end end
  for path in io.lines(args[1]) do prepared[#prepared + 1] = wrk.format("GET", path) end
end

function request()
  at = at % #prepared + 1
  return prepared[at]
end
