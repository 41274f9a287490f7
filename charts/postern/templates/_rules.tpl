{{/* What the operator may do to schedules and their children. It makes Secrets, of signing keys, and deletes them; no verb
by which it could read one is among it. */}}
{{- define "postern.rules.namespaced" -}}
- apiGroups: [postern.dev]
  resources: [webhookschedules]
  verbs: [list, watch]
- apiGroups: [postern.dev]
  resources: [webhookschedules/status]
  verbs: [update]
- apiGroups: [batch]
  resources: [cronjobs]
  verbs: [get, list, watch, create, update, delete]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get, list, watch, create, update, delete]
- apiGroups: [""]
  resources: [secrets]
  verbs: [create, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, update, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{/* What no Role can give: objects of the whole cluster, and asking who scrapes the metrics. */}}
{{- define "postern.rules.cluster" -}}
- apiGroups: [postern.dev]
  resources: [webhooktiers]
  verbs: [list, watch]
- apiGroups: [postern.dev]
  resources: [webhooktiers/status]
  verbs: [update]
- apiGroups: [""]
  resources: [namespaces]
  verbs: [list, watch]
- apiGroups: [admissionregistration.k8s.io]
  resources: [validatingadmissionpolicies, validatingadmissionpolicybindings]
  verbs: [get, list, watch]
- apiGroups: [authentication.k8s.io]
  resources: [tokenreviews]
  verbs: [create]
- apiGroups: [authorization.k8s.io]
  resources: [subjectaccessreviews]
  verbs: [create]
{{- end }}

{{/* Which addresses the cluster gave its load balancers: nothing is delivered there. With watchNamespaces it does without. */}}
{{- define "postern.rules.services" -}}
- apiGroups: [""]
  resources: [services]
  verbs: [list, watch]
{{- end }}

{{/* The operator, as a binding's subject. */}}
{{- define "postern.subjects" -}}
- {kind: ServiceAccount, name: postern-operator, namespace: {{ .Release.Namespace }}}
{{- end }}
