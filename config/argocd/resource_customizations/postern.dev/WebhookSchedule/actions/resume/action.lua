-- Not removed: Argo CD takes a map without entries for one that was not changed.
if obj.metadata.annotations ~= nil and obj.metadata.annotations["postern.dev/suspend"] ~= nil then
  obj.metadata.annotations["postern.dev/suspend"] = "false"
end
return obj
