-- The conditions follow kstatus, and the status has an observedGeneration. Postern explains each reason in docs/reasons.md.

local function health(status, message)
  return {status = status, message = message}
end

local status = obj.status or {}
if status.observedGeneration == nil or status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "Waiting for the operator to see the spec")
end

-- The condition of this type; an empty one if there is none.
local function condition(type)
  for _, each in ipairs(status.conditions or {}) do
    if each.type == type then
      return each
    end
  end
  return {}
end

-- Somebody has to change something. While the operator tries again by itself, "Ready is False" comes without it.
local stalled = condition("Stalled")
if stalled.status == "True" then
  return health("Degraded", stalled.message)
end

local ready = condition("Ready")
if ready.status ~= "True" then
  return health("Progressing", ready.message or "Waiting for the operator to judge the spec")
end

-- Not Suspended: a sync with several waves would never end.
local scheduled = condition("Scheduled")
if scheduled.reason == "Suspended" then
  return health("Healthy", scheduled.message)
end

-- It speaks of deliveries of this spec. Otherwise no sync that corrects the spec could succeed, since the next delivery may be
-- hours away.
local healthy = condition("Healthy")
if healthy.status == "False" then
  return health("Degraded", healthy.message)
end

if scheduled.reason == "Held" then
  return health("Healthy", scheduled.message)
end
return health("Healthy", ready.message)
