{{/* The beginning of all names. */}}
{{- define "orlop.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 34 | trimAll "-." -}}
{{- end -}}

{{- define "orlop.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 34 | trimAll "-." -}}
{{- else if contains (include "orlop.name" .) .Release.Name -}}
{{- .Release.Name | trunc 34 | trimAll "-." -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "orlop.name" .) | trunc 34 | trimAll "-." -}}
{{- end -}}
{{- end -}}

{{/* The name of the metrics Service, which takes less than others: no dot and no digit at its beginning, before Kubernetes 1.36. */}}
{{- define "orlop.metricsService" -}}
{{- regexReplaceAll "^([0-9])" (printf "%s-metrics" (include "orlop.fullname" .) | replace "." "-") "orlop-${1}" -}}
{{- end -}}

{{/* What finds the pods. It can never change: neither can a DaemonSet's selector. */}}
{{- define "orlop.selectorLabels" -}}
app.kubernetes.io/name: {{ include "orlop.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "orlop.labels" -}}
{{ include "orlop.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: orlop
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The driver's image. */}}
{{- define "orlop.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The class names of snapshots. */}}
{{- define "orlop.snapshotClass" -}}
{{- default (include "orlop.fullname" .) .Values.snapshots.className -}}
{{- end -}}

{{/* "true" where a switch is on, or is auto and the cluster has the API: (list switch api root). */}}
{{- define "orlop.isOn" -}}
{{- $switch := index . 0 -}}
{{- if eq (toString $switch) "auto" -}}
{{- if (index . 2).Capabilities.APIVersions.Has (index . 1) -}}true{{- end -}}
{{- else if $switch -}}true{{- end -}}
{{- end -}}

{{- define "orlop.hasSnapshots" -}}
{{- include "orlop.isOn" (list .Values.snapshots.enabled "snapshot.storage.k8s.io/v1" .) -}}
{{- end -}}

{{- define "orlop.hasGroupSnapshots" -}}
{{- if include "orlop.hasSnapshots" . -}}
{{- include "orlop.isOn" (list .Values.snapshots.groups "groupsnapshot.storage.k8s.io/v1" .) -}}
{{- end -}}
{{- end -}}

{{- define "orlop.isOpenshift" -}}
{{- include "orlop.isOn" (list .Values.openshift.enabled "security.openshift.io/v1" .) -}}
{{- end -}}

{{/* Whether a livenessprobe is beside the driver of a node. */}}
{{- define "orlop.isProbed" -}}
{{- if and .Values.sidecars.livenessprobe.enabled (ne .Values.registration "builtin") -}}true{{- end -}}
{{- end -}}

{{/* What the driver is told by variables, so that its verbs know it, too: kubectl exec … -- orlop doctor. */}}
{{- define "orlop.env" -}}
- name: ORLOP_CONFIG
  value: /etc/orlop/orlop.yaml
- name: ORLOP_LOG_LEVEL
  value: {{ .Values.driver.logLevel | quote }}
- name: ORLOP_LOG_FORMAT
  value: {{ .Values.driver.logFormat }}
{{- end -}}

{{/* Where the socket of a node's driver is, as the driver sees it: as kubelet does, where the driver tells it. */}}
{{- define "orlop.nodeSocketDirectory" -}}
{{- ternary (printf "%s/plugins/csi.orlop.dev" .Values.kubeletDir) "/csi" (eq .Values.registration "builtin") -}}
{{- end -}}

{{/*
The inline roles that are on, as JSON: {roles: [{name, driver, directory}]}, with the directory of the role's socket as the driver
sees it.
*/}}
{{- define "orlop.roles" -}}
{{- $roles := list -}}
{{- range $name := list "scratch" "config" "hostpath" -}}
  {{- if (get $.Values.roles $name).enabled -}}
    {{- $driver := printf "%s.csi.orlop.dev" $name -}}
    {{- $directory := ternary (printf "%s/plugins/%s" $.Values.kubeletDir $driver) (printf "/csi-%s" $name) (eq $.Values.registration "builtin") -}}
    {{- $roles = append $roles (dict "name" $name "driver" $driver "directory" $directory) -}}
  {{- end -}}
{{- end -}}
{{- toJson (dict "roles" $roles) -}}
{{- end -}}

{{/* The roles as a node's config has them, as JSON: {roles: {…}}. */}}
{{- define "orlop.configRoles" -}}
{{- $config := dict -}}
{{- range $role := (include "orlop.roles" . | fromJson).roles -}}
  {{- $values := get $.Values.roles $role.name -}}
  {{- $entry := dict "endpoint" (printf "unix://%s/csi.sock" $role.directory) -}}
  {{- range $key, $value := omit $values "enabled" -}}
    {{- if $value -}}{{- $_ := set $entry $key $value -}}{{- end -}}
  {{- end -}}
  {{- if eq $role.name "hostpath" -}}{{- $_ := set $entry "enabled" true -}}{{- end -}}
  {{- if and (eq $role.name "config") (include "orlop.tokensInContext" $) -}}{{- $_ := set $entry "acceptTokenInContext" true -}}{{- end -}}
  {{- $_ := set $config $role.name $entry -}}
{{- end -}}
{{- toJson (ternary (dict "roles" $config) dict (gt (len $config) 0)) -}}
{{- end -}}

{{/* Whether the API server lets a CSIDriver say that tokens travel as secrets: a field that an older one refuses. */}}
{{- define "orlop.tokensInSecrets" -}}
{{- if semverCompare ">=1.35.0-0" .Capabilities.KubeVersion.Version -}}true{{- end -}}
{{- end -}}

{{/*
Whether some kubelet may give a pod's tokens with the attributes. One of 1.34 does so whatever the CSIDriver says, and may be as much as
three versions older than the API server. Where a kubelet sends secrets, the driver looks at nothing else.
*/}}
{{- define "orlop.tokensInContext" -}}
{{- if semverCompare "<1.38.0-0" .Capabilities.KubeVersion.Version -}}true{{- end -}}
{{- end -}}

{{/* What the configs of all processes begin with: all of them must say the same of what they can do. */}}
{{- define "orlop.config" -}}
{{- include "orlop.checkMetrics" . -}}
{{- $config := dict "attach" "off" "cluster" dict -}}
{{- with .Values.driver -}}
{{- $_ := set $config "defaultSize" .defaultSize -}}
{{- $_ := set $config "maxVolumesPerNode" (int64 .maxVolumesPerNode) -}}
{{- $_ := set $config "freezeLimit" .freezeLimit -}}
{{- $_ := set $config "shutdownGrace" .shutdownGrace -}}
{{- end -}}
{{- $metrics := dict "address" (printf "%s:%d" .Values.metrics.host (int64 .Values.metrics.port)) "maxVolumes" (int64 .Values.metrics.maxVolumes) -}}
{{- $_ := set $config "metrics" $metrics -}}
{{- toJson $config -}}
{{- end -}}

{{/* A sidecar in the pod of a node: root, because the driver's socket is root's, but with no right of root's. */}}
{{- define "orlop.besideDriver" -}}
runAsUser: 0
runAsGroup: 0
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
seLinuxOptions:
  # What another container may not do where SELinux is on: connect to the socket of a privileged one.
  type: spc_t
{{- end -}}

{{/* A container that has no right but to run. */}}
{{- define "orlop.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* What all sidecars of the controller are told: (list values root). */}}
{{- define "orlop.sidecarArgs" -}}
{{- $root := index . 1 -}}
- --csi-address=/csi/csi.sock
- --kube-api-qps={{ $root.Values.controller.kubeApiQps }}
- --kube-api-burst={{ $root.Values.controller.kubeApiBurst }}
{{- if gt (int $root.Values.controller.replicas) 1 }}
- --leader-election
- --leader-election-namespace={{ $root.Release.Namespace }}
{{- end }}
- -v={{ $root.Values.sidecars.logLevel }}
{{- with (index . 0).extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end -}}
