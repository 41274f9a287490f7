{{/* The operator's configuration. */}}
{{- define "postern.config" -}}
{{- with .Values.sender -}}
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
watchNamespaces: {{ toJson .Values.watchNamespaces }}
clusterCIDRs: {{ toJson .Values.clusterCIDRs }}
clusterDomain: {{ .Values.clusterDomain }}
nameServers: {{ toJson .Values.nameServers }}
nameServerPods: {{ toJson .Values.nameServerPods }}
spreadSeconds: {{ .Values.spreadSeconds }}
concurrency: {{ .Values.concurrency }}
preflight: {{ toJson .Values.preflight }}
isolation: {{ .Values.egress.isolation }}
health: {address: "0.0.0.0:8081"}
metrics:
  address: "0.0.0.0:8443"
  {{- if .Values.metrics.tlsSecretName }}
  certificate: /etc/postern/tls/tls.crt
  key: /etc/postern/tls/tls.key
  {{- end }}
lease: {name: postern-operator}
{{- end }}
