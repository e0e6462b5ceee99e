{{- define "podtide.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "podtide.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "podtide.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "podtide.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* A Service's name has at most 63 characters, whatever the release is called. */}}
{{- define "podtide.metricsName" -}}
{{- printf "%s-metrics" (include "podtide.fullname" . | trunc 55 | trimSuffix "-") }}
{{- end }}

{{/* Cluster-wide names carry the namespace, so that two releases of one name do not share rights. */}}
{{- define "podtide.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "podtide.fullname" .) }}
{{- end }}

{{- define "podtide.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "podtide.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "podtide.selectorLabels" -}}
app.kubernetes.io/name: {{ include "podtide.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "podtide.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "podtide.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "podtide.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "podtide.leaseName" -}}
{{- default (include "podtide.fullname" .) .Values.controller.leaderElection.leaseName }}
{{- end }}

{{/* Every Lease the controller competes for, as a JSON list. With shards the first says how the fleet is divided. */}}
{{- define "podtide.leases" -}}
{{- $base := include "podtide.leaseName" . }}
{{- if eq (int .Values.controller.shards) 1 }}
{{- list $base | toJson }}
{{- else }}
{{- $names := list $base }}
{{- range until (int .Values.controller.shards) }}
{{- $names = append $names (printf "%s-%d" $base .) }}
{{- end }}
{{- $names | toJson }}
{{- end }}
{{- end }}

{{- define "podtide.defaultSpread" -}}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "podtide.selectorLabels" $ | nindent 6 }}
{{- end }}
{{- end }}

{{/* Where the trusted authorities lie in the container; empty for the cluster's and the system's. */}}
{{- define "podtide.caFile" -}}
{{- if .Values.tls.caConfigMap.name }}/etc/podtide/ca/{{ .Values.tls.caConfigMap.key }}
{{- else if .Values.tls.caSecret.name }}/etc/podtide/ca/{{ .Values.tls.caSecret.key }}
{{- else if eq .Values.mesh.mode "istioCertificates" }}/etc/istio-certs/root-cert.pem
{{- end }}
{{- end }}

{{/* What does not go together; the schema sees one value at a time. */}}
{{- define "podtide.check" -}}
{{- with .Values }}
{{- if and .tls.caConfigMap.name .tls.caSecret.name }}
{{- fail "tls.caConfigMap and tls.caSecret are both set; keep one, with all certificates in it" }}
{{- end }}
{{- if and .tls.clientCertSecret (eq .mesh.mode "istioCertificates") }}
{{- fail "tls.clientCertSecret and mesh.mode istioCertificates both give the client certificate; keep one" }}
{{- end }}
{{- range $key := list "app.kubernetes.io/name" "app.kubernetes.io/instance" }}
{{- if or (hasKey $.Values.commonLabels $key) (hasKey $.Values.podLabels $key) }}
{{- fail (printf "commonLabels and podLabels must not hold %s: pods are selected by it; use nameOverride" $key) }}
{{- end }}
{{- end }}
{{- if and (gt (int .controller.shards) 1) (not .controller.leaderElection.enabled) }}
{{- fail (printf "controller.shards is %v, but controller.leaderElection.enabled is false: shards are leases; enable it, or set shards to 1" .controller.shards) }}
{{- end }}
{{- if and (gt (int .replicaCount) 1) (not .controller.leaderElection.enabled) }}
{{- fail "controller.leaderElection.enabled is false with replicaCount above 1: both would scale; set replicaCount to 1" }}
{{- end }}
{{- with .controller.leaderElection }}
{{- if lt (float64 .leaseDurationSeconds) (addf .renewDeadlineSeconds 1) }}
{{- fail (printf "controller.leaderElection.leaseDurationSeconds %v is not a second above renewDeadlineSeconds %v: two replicas could act" .leaseDurationSeconds .renewDeadlineSeconds) }}
{{- end }}
{{- if not (gt (float64 .renewDeadlineSeconds) (float64 .retryPeriodSeconds)) }}
{{- fail (printf "controller.leaderElection.renewDeadlineSeconds %v is not above retryPeriodSeconds %v: the lease would be lost between tries" .renewDeadlineSeconds .retryPeriodSeconds) }}
{{- end }}
{{- end }}
{{- if eq (int .metrics.port) (int .health.port) }}
{{- fail (printf "metrics.port and health.port are both %v; the probes need a port of their own" .health.port) }}
{{- end }}
{{- if and (eq .mesh.mode "excludePorts") (not .mesh.scrapedPorts) }}
{{- fail "mesh.mode is excludePorts, but mesh.scrapedPorts is empty; list the pods' metrics ports" }}
{{- end }}
{{- end }}
{{- end }}
