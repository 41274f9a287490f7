local annotations = obj.metadata.annotations or {}
local value = annotations["postern.dev/suspend"] or ""
local is_suspended = value ~= "" and value ~= "false"
local signing = obj.spec.signing or {}

local actions = {}
-- spec.suspend belongs to Git, which would set it back.
actions["suspend"] = {
  ["disabled"] = is_suspended or obj.spec.suspend == true,
  ["iconClass"] = "fa fa-fw fa-pause",
  ["displayName"] = "Suspend"
}
actions["resume"] = {
  ["disabled"] = not is_suspended,
  ["iconClass"] = "fa fa-fw fa-play",
  ["displayName"] = "Resume"
}
actions["trigger"] = {
  ["disabled"] = false,
  ["iconClass"] = "fa fa-fw fa-paper-plane",
  ["displayName"] = "Trigger Delivery"
}
actions["check"] = {
  ["disabled"] = false,
  ["iconClass"] = "fa fa-fw fa-check",
  ["displayName"] = "Check Target"
}
actions["rotate-keys"] = {
  ["disabled"] = signing.managed == nil,
  ["iconClass"] = "fa fa-fw fa-key",
  ["displayName"] = "Rotate Keys"
}
return actions
