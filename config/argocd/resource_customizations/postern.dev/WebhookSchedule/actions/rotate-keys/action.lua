-- Each new value counts once.
local os = require("os")
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["postern.dev/rotate-keys"] = os.date("!%Y-%m-%dT%XZ")
return obj
