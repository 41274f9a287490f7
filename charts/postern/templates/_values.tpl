{{/* The values, complete. With --reuse-values, Helm gives the values of the release before, which know nothing of what was added to
values.yaml since: what is missing is as values.yaml has it. */}}
{{- define "postern.values" -}}
{{- $values := deepCopy .Values -}}
{{- include "postern.fill" (list $values (include "postern.defaults" . | fromYaml)) -}}
{{- toJson $values -}}
{{- end }}

{{/* Puts what is missing into a map, from (list map defaults). What is there stays, empty or not. */}}
{{- define "postern.fill" -}}
{{- $map := index . 0 -}}
{{- range $key, $default := index . 1 -}}
{{- if not (hasKey $map $key) -}}
{{- $_ := set $map $key $default -}}
{{- else if and (kindIs "map" $default) (ne $key "resources") -}}
{{- include "postern.fill" (list (get $map $key) $default) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* values.yaml once more, since a template can't read it; without tiers, of which those that are missing aren't made. */}}
{{- define "postern.defaults" -}}
image: {repository: postern-operator, tag: "", digest: "", pullPolicy: IfNotPresent}
imagePullSecrets: []
replicas: 2
logLevel: info
resources:
  requests: {cpu: 20m, memory: 64Mi}
  limits: {cpu: "1", memory: 256Mi}
nodeSelector: {}
tolerations: []
priorityClassName: ""
sender:
  image: {repository: postern-sender, tag: "", digest: "", pullPolicy: IfNotPresent}
  imagePullSecrets: []
  resources: {}
  nodeSelector: {}
  tolerations: []
  priorityClassName: ""
watchNamespaces: []
clusterCIDRs: []
clusterDomain: cluster.local
nameServers: []
nameServerPods:
  - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}
    podSelector: {matchLabels: {k8s-app: kube-dns}}
spreadSeconds: 10
concurrency: 8
delivery: {maxEarly: 50}
preflight: {enabled: true, concurrency: 10}
egress: {isolation: Warn}
metrics: {tlsSecretName: "", from: []}
networkPolicy:
  apiServer: {cidrs: [], ports: [443, 6443]}
admissionPolicies: {enabled: true}
tiers: {create: true}
{{- end }}

{{/* A value as CEL writes it. Values in one list or map may be of several types, so none is said to have one. */}}
{{- define "postern.cel" -}}
{{- if kindIs "map" . -}}
{ {{- $first := true -}}
{{- range $key, $value := . -}}
{{- if not $first }}, {{ end }}{{ $first = false }}{{ $key | squote }}: dyn({{ include "postern.cel" $value }})
{{- end -}} }
{{- else if kindIs "slice" . -}}
[{{- range $index, $value := . }}{{ if $index }}, {{ end }}dyn({{ include "postern.cel" $value }}){{ end -}}]
{{- else -}}
{{ . | squote }}
{{- end -}}
{{- end }}
