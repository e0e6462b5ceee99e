{{/* What the controller asks of a watched namespace; nothing else. */}}
{{- define "podtide.rules" -}}
{{- if not .Values.controller.fromFiles.configMap }}
- apiGroups: [autoscaling.aibrix.ai]
  resources: [podautoscalers]
  verbs: [get, list, watch]
- apiGroups: [autoscaling.aibrix.ai]
  resources: [podautoscalers/status]
  verbs: [patch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch{{ if .Values.rbac.markPods }}, patch{{ end }}]
- apiGroups: [apps]
  resources: [deployments, replicasets, statefulsets]
  verbs: [get, list, watch]
- apiGroups: [apps]
  resources: [deployments/scale, replicasets/scale, statefulsets/scale]
  verbs: [get, patch]
{{- range .Values.rbac.extraTargets }}
- apiGroups: [{{ .apiGroup | quote }}]
  resources:
    {{- range .resources }}
    - {{ . }}
    {{- end }}
  verbs: [get, list, watch]
- apiGroups: [{{ .apiGroup | quote }}]
  resources:
    {{- range .resources }}
    - {{ . }}/scale
    {{- end }}
  verbs: [get, patch]
{{- end }}
{{- if .Values.rbac.stormServices }}
- apiGroups: [orchestration.aibrix.ai]
  resources: [stormservices]
  # A role's replicas stand in the object itself.
  verbs: [get, list, watch, patch]
- apiGroups: [orchestration.aibrix.ai]
  resources: [stormservices/scale]
  verbs: [get, patch]
- apiGroups: [orchestration.aibrix.ai]
  resources: [podsets, rolesets]
  verbs: [get]
{{- end }}
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [list, watch]
{{- range $resource, $choice := dict "secrets" .Values.rbac.secrets "configmaps" .Values.rbac.configMaps }}
{{- if $choice.enabled }}
- apiGroups: [""]
  resources: [{{ $resource }}]
  {{- with $choice.names }}
  resourceNames:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  verbs: [get]
{{- end }}
{{- end }}
{{- with .Values.rbac.metricsApis }}
{{- if .resource }}
- apiGroups: [metrics.k8s.io]
  resources: [pods]
  verbs: [list]
{{- end }}
{{- if .custom }}
- apiGroups: [custom.metrics.k8s.io]
  resources: ["*"]
  verbs: [get]
{{- end }}
{{- if .external }}
- apiGroups: [external.metrics.k8s.io]
  resources: ["*"]
  verbs: [list]
{{- end }}
{{- end }}
{{- end }}

{{- define "podtide.subject" -}}
- kind: ServiceAccount
  name: {{ include "podtide.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
