if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["postern.dev/suspend"] = "true"
return obj
