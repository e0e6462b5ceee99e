{{- define "podtide.args" -}}
{{- $values := .Values }}
{{- with .Values.controller }}
- run
- --log-level={{ .logLevel }}
- --log-format={{ .logFormat }}
- --metrics-port={{ $values.metrics.port }}
- --health-port={{ $values.health.port }}
- --qps={{ .qps }}
- --burst={{ int .burst }}
- --scrape-timeout={{ .scrape.timeoutSeconds }}
- --scrape-concurrency={{ int .scrape.concurrency }}
- --scrape-retries={{ int .scrape.retries }}
- --scrape-backoff-limit={{ .scrape.backoffLimitSeconds }}
- --tolerance={{ .defaults.tolerance }}
- --scale-down-stabilization={{ .defaults.scaleDownStabilizationSeconds }}
- --cpu-initialization-period={{ .defaults.cpuInitializationPeriodSeconds }}
- --initial-readiness-delay={{ .defaults.initialReadinessDelaySeconds }}
# Leases, and what autoscalers remember.
- --lease-namespace=$(POD_NAMESPACE)
- --lease-name={{ include "podtide.leaseName" $ }}
{{- if .leaderElection.enabled }}
- --leader-elect
- --lease-duration={{ .leaderElection.leaseDurationSeconds }}
- --renew-deadline={{ .leaderElection.renewDeadlineSeconds }}
- --retry-period={{ .leaderElection.retryPeriodSeconds }}
- --shards={{ int .shards }}
{{- else }}
- --no-leader-elect
{{- end }}
{{- range uniq $values.watchNamespaces }}
- --namespace={{ . }}
{{- end }}
{{- range .tokenEndpoints }}
- --token-endpoint={{ . }}
{{- end }}
{{- range .allowedEndpoints }}
- --allow-endpoint={{ . }}
{{- end }}
{{- with include "podtide.caFile" $ }}
- --tls-ca-file={{ . }}
{{- end }}
{{- if $values.tls.clientCertSecret }}
- --tls-cert-file=/etc/podtide/client/tls.crt
- --tls-key-file=/etc/podtide/client/tls.key
{{- else if eq $values.mesh.mode "istioCertificates" }}
- --tls-cert-file=/etc/istio-certs/cert-chain.pem
- --tls-key-file=/etc/istio-certs/key.pem
{{- end }}
{{- if $values.tls.insecureSkipVerify }}
- --insecure-skip-verify
{{- end }}
{{- if .fromFiles.configMap }}
- --from-files=/etc/podtide/autoscalers
{{- end }}
{{- range .extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "podtide.mounts" -}}
{{- with .Values }}
{{- if or .tls.caConfigMap.name .tls.caSecret.name }}
- name: ca
  mountPath: /etc/podtide/ca
  readOnly: true
{{- end }}
{{- if .tls.clientCertSecret }}
- name: client-certificate
  mountPath: /etc/podtide/client
  readOnly: true
{{- end }}
{{- if eq .mesh.mode "istioCertificates" }}
- name: istio-certs
  mountPath: /etc/istio-certs
  readOnly: true
{{- end }}
{{- if .controller.fromFiles.configMap }}
- name: autoscalers
  mountPath: /etc/podtide/autoscalers
  readOnly: true
{{- end }}
{{- with .extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- end }}

{{- define "podtide.volumes" -}}
{{- with .Values }}
{{- if .tls.caConfigMap.name }}
- name: ca
  configMap:
    name: {{ .tls.caConfigMap.name }}
{{- else if .tls.caSecret.name }}
- name: ca
  secret:
    secretName: {{ .tls.caSecret.name }}
{{- end }}
{{- if .tls.clientCertSecret }}
- name: client-certificate
  secret:
    secretName: {{ .tls.clientCertSecret }}
{{- end }}
{{- if eq .mesh.mode "istioCertificates" }}
- name: istio-certs
  emptyDir:
    medium: Memory
{{- end }}
{{- if .controller.fromFiles.configMap }}
- name: autoscalers
  configMap:
    name: {{ .controller.fromFiles.configMap }}
{{- end }}
{{- with .extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- end }}

{{/* Labels and annotations by which meshes are told what to do with the pod. */}}
{{- define "podtide.meshLabels" -}}
{{- if eq .Values.mesh.mode "disabled" }}
sidecar.istio.io/inject: "false"
istio.io/dataplane-mode: none
{{- else if eq .Values.mesh.mode "istioCertificates" }}
sidecar.istio.io/inject: "true"
{{- end }}
{{- end }}

{{- define "podtide.meshAnnotations" -}}
{{- $own := printf "%v,%v" .Values.metrics.port .Values.health.port }}
{{- if eq .Values.mesh.mode "disabled" }}
linkerd.io/inject: disabled
{{- else if eq .Values.mesh.mode "excludePorts" }}
{{- $ports := join "," .Values.mesh.scrapedPorts }}
traffic.sidecar.istio.io/excludeInboundPorts: {{ $own | quote }}
traffic.sidecar.istio.io/excludeOutboundPorts: {{ $ports | quote }}
config.linkerd.io/skip-inbound-ports: {{ $own | quote }}
config.linkerd.io/skip-outbound-ports: {{ $ports | quote }}
{{- else if eq .Values.mesh.mode "istioCertificates" }}
# The sidecar writes its certificate to the volume and carries no traffic.
traffic.sidecar.istio.io/includeInboundPorts: ""
traffic.sidecar.istio.io/includeOutboundIPRanges: ""
# So the kubelet's probes reach the controller itself, as a NetworkPolicy expects.
sidecar.istio.io/rewriteAppHTTPProbers: "false"
proxy.istio.io/config: |
  proxyMetadata:
    OUTPUT_CERTS: /etc/istio-output-certs
sidecar.istio.io/userVolumeMount: '[{"name": "istio-certs", "mountPath": "/etc/istio-output-certs"}]'
{{- end }}
{{- end }}
