{{/* The operator's configuration. */}}
{{- define "postern.config" -}}
{{- $values := include "postern.values" . | fromJson -}}
{{- with $values.sender -}}
sender:
  image: {{ include "postern.image" (list $ .image) }}
  imagePullPolicy: {{ .image.pullPolicy }}
  imagePullSecrets: {{ toJson .imagePullSecrets }}
  resources: {{ toJson .resources }}
  nodeSelector: {{ toJson .nodeSelector }}
  tolerations: {{ toJson .tolerations }}
  {{- with .priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
{{- end }}
watchNamespaces: {{ toJson $values.watchNamespaces }}
clusterCIDRs: {{ toJson $values.clusterCIDRs }}
clusterDomain: {{ $values.clusterDomain }}
nameServers: {{ toJson $values.nameServers }}
nameServerPods: {{ toJson $values.nameServerPods }}
spreadSeconds: {{ $values.spreadSeconds }}
concurrency: {{ $values.concurrency }}
delivery: {{ toJson $values.delivery }}
preflight: {{ toJson $values.preflight }}
isolation: {{ $values.egress.isolation }}
health: {address: "0.0.0.0:8081"}
metrics:
  address: "0.0.0.0:8443"
  {{- if $values.metrics.tlsSecretName }}
  certificate: /etc/postern/tls/tls.crt
  key: /etc/postern/tls/tls.key
  {{- end }}
lease: {name: postern-operator}
{{- end }}
