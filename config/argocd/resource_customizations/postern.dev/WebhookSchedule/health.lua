-- The conditions follow kstatus, and the status has an observedGeneration. Postern explains each reason in docs/reasons.md.

-- What a reason of "Ready is False" means for the health. Degraded: somebody has to change something. Progressing: Postern tries
-- again by itself, and nothing in the spec is wrong. A reason that isn't here is one of a newer release, and counts as Degraded.
local health_by_reason = {
  -- The spec, or the namespace's tier.
  ScheduleInvalid = "Degraded",
  TimeZoneUnknown = "Degraded",
  SpecInvalid = "Degraded",
  IntervalTooShort = "Degraded",
  TooManyAttempts = "Degraded",
  TimeoutTooLong = "Degraded",
  BodyTooLarge = "Degraded",
  TooManySchedules = "Degraded",
  TooManyDeliveries = "Degraded",
  TierNotFound = "Degraded",
  NoDefaultTier = "Degraded",
  SeveralDefaultTiers = "Degraded",
  TierInvalid = "Degraded",
  -- The CronJob.
  NameTaken = "Degraded",
  KeyNotMade = "Degraded",
  ReceiverGone = "Degraded",
  NotIsolated = "Degraded",
  ApplyFailed = "Progressing",
  UsageNotRecorded = "Progressing",
  -- Where a delivery would go.
  SchemeNotHttps = "Degraded",
  UserinfoInUrl = "Degraded",
  PortNotAllowed = "Degraded",
  HostNotAllowed = "Degraded",
  HostInternal = "Degraded",
  AddressInternal = "Degraded",
  UrlMalformed = "Degraded",
  UrlTooLong = "Degraded",
  NameNotResolved = "Degraded",
  -- What a delivery needs.
  ReferenceMissing = "Degraded",
  ReferenceEmpty = "Degraded",
  ReferenceTooLarge = "Degraded",
  ReferenceUnreadable = "Degraded",
  SigningKeyInvalid = "Degraded",
  SigningInvalid = "Degraded",
  HeaderNotAllowed = "Degraded",
  HeaderValueInvalid = "Degraded",
  PlaceholderUnknown = "Degraded",
  CaBundleInvalid = "Degraded",
  ClientCertificateInvalid = "Degraded",
  JobNameInvalid = "Degraded",
  ScheduledTimeInFuture = "Degraded",
  StartingDeadlineExceeded = "Degraded",
  DeadlineExceeded = "Degraded",
  DeliveryInvalid = "Degraded",
  Unrecognised = "Degraded",
}

-- What another controller may be about to make. Postern repeats the check after 5, 15 and 45 seconds, and then less and less often.
local made_by_others = {ReferenceMissing = true, ReferenceEmpty = true, NameNotResolved = true}
local quick_repeats = 3

local function health(status, message)
  return {status = status, message = message}
end

if obj.metadata.deletionTimestamp ~= nil then
  return health("Progressing", "The schedule is being deleted")
end

local status = obj.status or {}
local generation = obj.metadata.generation
if status.observedGeneration == nil or status.observedGeneration ~= generation then
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

local ready = condition("Ready")
if ready.status ~= "True" and ready.status ~= "False" then
  return health("Progressing", ready.message or "Waiting for the operator to judge the spec")
end

-- Whether "Ready is False" has a reason that is to be expected for a while.
local function is_expected()
  if ready.reason == "NotIsolated" then
    return condition("EgressIsolated").reason == "Checking"
  end
  local checked = status.checked or {}
  return made_by_others[ready.reason] == true
    and checked.generation == generation
    and checked.reason == ready.reason
    and checked.repeatAt ~= nil
    and (checked.repeats or 0) < quick_repeats
end

if ready.status == "False" then
  if is_expected() then
    return health("Progressing", ready.message)
  end
  return health(health_by_reason[ready.reason] or "Degraded", ready.message)
end

-- Not Suspended: a sync with several waves would never end.
local scheduled = condition("Scheduled")
if scheduled.reason == "Suspended" then
  return health("Healthy", scheduled.message)
end

-- Failures count only against the spec that they were made from. Otherwise no sync that corrects the spec could succeed, since
-- the next delivery may be hours away. A delivery that never had a Job has no generation.
local healthy, last = condition("Healthy"), status.lastDelivery or {}
local is_of_this_spec = last.generation == nil or last.generation == generation
if healthy.status == "False" and healthy.observedGeneration == generation and is_of_this_spec then
  return health("Degraded", healthy.message)
end

if scheduled.reason == "Held" then
  return health("Healthy", scheduled.message)
end
return health("Healthy", ready.message)
