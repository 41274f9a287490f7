-- The conditions follow kstatus, and the status has an observedGeneration. Postern explains each reason in docs/reasons.md.

local status = obj.status or {}
if status.observedGeneration ~= nil and status.observedGeneration == obj.metadata.generation then
  for _, condition in ipairs(status.conditions or {}) do
    if condition.type == "Ready" and condition.status == "False" then
      return {status = "Degraded", message = condition.message}
    end
    if condition.type == "Ready" and condition.status == "True" then
      return {status = "Healthy", message = condition.message}
    end
  end
end

return {status = "Progressing", message = "Waiting for the operator to see the spec"}
