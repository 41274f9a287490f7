{{/* The labels of everything in the release. A label takes neither the + of a version nor more than 63 characters. */}}
{{- define "postern.labels" -}}
app.kubernetes.io/name: postern
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimAll "-._" }}
{{- end }}

{{/* The pods of the Deployment. */}}
{{- define "postern.operator" -}}
app.kubernetes.io/name: postern
app.kubernetes.io/component: operator
{{- end }}

{{/* An image's reference, from (list . image). */}}
{{- define "postern.image" -}}
{{- $image := index . 1 -}}
{{- $version := $image.tag | default (index . 0).Chart.AppVersion -}}
{{ $image.repository }}{{ if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $version }}{{ end }}
{{- end }}

{{/* What a pod of the operator's image is, whichever command it runs: the restricted Pod Security Standard. */}}
{{- define "postern.pod" -}}
{{- $values := include "postern.values" . | fromJson -}}
serviceAccountName: postern-operator
enableServiceLinks: false
{{- with $values.imagePullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
volumes:
  - name: config
    projected:
      defaultMode: 288 # 0440
      sources:
        - configMap: {name: postern-operator}
        {{- with $values.metrics.tlsSecretName }}
        - secret:
            name: {{ . }}
            items: [{key: tls.crt, path: tls/tls.crt}, {key: tls.key, path: tls/tls.key}]
        {{- end }}
{{- end }}

{{/* And its container. */}}
{{- define "postern.container" -}}
{{- $values := include "postern.values" . | fromJson -}}
image: {{ include "postern.image" (list . $values.image) }}
imagePullPolicy: {{ $values.image.pullPolicy }}
resources: {{ toJson $values.resources }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
terminationMessagePolicy: FallbackToLogsOnError
volumeMounts:
  - {name: config, mountPath: /etc/postern, readOnly: true}
{{- end }}

{{/* Its environment. */}}
{{- define "postern.env" -}}
{{- $values := include "postern.values" . | fromJson -}}
- {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
- {name: POSTERN_DEPLOYMENT, value: postern-operator}
- {name: POSTERN_LOG, value: {{ $values.logLevel }}}
{{- end }}

{{/* The operator, as the API server knows it. */}}
{{- define "postern.username" -}}
system:serviceaccount:{{ .Release.Namespace }}:postern-operator
{{- end }}
