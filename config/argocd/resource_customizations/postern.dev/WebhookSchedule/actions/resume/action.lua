if obj.metadata.annotations ~= nil then
  obj.metadata.annotations["postern.dev/suspend"] = nil
end
return obj
