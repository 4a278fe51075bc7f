{{/*
The groups of nodes, as JSON: {groups: [{name, labels, without, pools}]}. A pool is on each node that has the labels of its
nodeSelector, so each way in which a node can have some of these selectors and not the others makes a group: a node is in
exactly one of them, and a group has one config. What cannot be, because two selectors want different values of a label, or one
is a part of the other, is left out. A group without a pool runs the roles of inline volumes, if any is on.
*/}}
{{- define "orlop.groups" -}}
{{- $selectors := list -}}
{{- $everywhere := .Values.node.nodeSelector -}}
{{- range $pool := .Values.pools -}}
  {{- $selector := default dict $pool.nodeSelector -}}
  {{- range $key, $value := $selector -}}
    {{- if and (hasKey $everywhere $key) (ne $value (get $everywhere $key)) -}}
      {{- fail (printf "pools: %q wants nodes with %s=%s, and node.nodeSelector allows Orlop only on those with %s=%s, so no node would have it: change one of the two" $pool.name $key $value $key (get $everywhere $key)) -}}
    {{- end -}}
  {{- end -}}
  {{- if and $selector (not (has $selector $selectors)) -}}
    {{- $selectors = append $selectors $selector -}}
  {{- end -}}
{{- end -}}
{{- $groups := list (dict "labels" dict "without" list) -}}
{{- range $selector := $selectors -}}
  {{- $next := list -}}
  {{- range $group := $groups -}}
    {{- $relation := include "orlop.relation" (list $selector $group.labels) -}}
    {{- if ne $relation "open" -}}
      {{- $next = append $next $group -}}
    {{- else -}}
      {{- $labels := include "orlop.overlaid" (list $group.labels $selector) | fromJson -}}
      {{- $possible := true -}}
      {{- $without := list -}}
      {{- range $other := $group.without -}}
        {{- $relation := include "orlop.relation" (list $other $labels) -}}
        {{- if eq $relation "implied" -}}{{- $possible = false -}}{{- end -}}
        {{- if eq $relation "open" -}}{{- $without = append $without $other -}}{{- end -}}
      {{- end -}}
      {{- if $possible -}}
        {{- $next = append $next (dict "labels" $labels "without" $without) -}}
      {{- end -}}
      {{- $next = append $next (dict "labels" $group.labels "without" (append $group.without $selector)) -}}
    {{- end -}}
  {{- end -}}
  {{- $groups = $next -}}
  {{- if gt (len $groups) 32 -}}
    {{- fail "pools: their nodeSelectors make more than 32 different groups of nodes, each with a DaemonSet of its own: use fewer labels" -}}
  {{- end -}}
{{- end -}}
{{- $filled := list -}}
{{- range $group := $groups -}}
  {{- $pools := list -}}
  {{- $names := list -}}
  {{- range $pool := $.Values.pools -}}
    {{- if eq "implied" (include "orlop.relation" (list (default dict $pool.nodeSelector) $group.labels)) -}}
      {{- if has $pool.name $names -}}
        {{- fail (printf "pools: two are named %q, and a node can have the labels of both: give them nodeSelectors of which a node can have only one" $pool.name) -}}
      {{- end -}}
      {{- $pools = append $pools $pool -}}
      {{- $names = append $names $pool.name -}}
    {{- end -}}
  {{- end -}}
  {{- if or $pools (include "orlop.roles" $ | fromJson).roles -}}
    {{- $name := printf "%s-node" (include "orlop.fullname" $) -}}
    {{- if $group.labels -}}
      {{- $words := list -}}
      {{- range $key := keys $group.labels | sortAlpha -}}
        {{- $words = append $words (default (base $key) (get $group.labels $key)) -}}
      {{- end -}}
      {{- $word := join "-" $words | lower | replace "." "-" | replace "_" "-" | trunc 16 | trimAll "-" -}}
      {{- $name = printf "%s-%s" $name (printf "%s-%s" $word (toJson $group.labels | sha256sum | trunc 6) | trimAll "-") -}}
    {{- end -}}
    {{- $filled = append $filled (dict "name" $name "labels" $group.labels "without" $group.without "pools" $pools) -}}
  {{- end -}}
{{- end -}}
{{- if not $filled -}}
  {{- fail "pools: there is none, and no role of inline volumes is on, so that there is nothing for Orlop to do" -}}
{{- end -}}
{{- toJson (dict "groups" $filled) -}}
{{- end -}}

{{/* The first object with what the second has, as JSON. (merge takes false, 0 and "" for nothing.) */}}
{{- define "orlop.overlaid" -}}
{{- $all := deepCopy (index . 0) -}}
{{- range $key, $value := index . 1 -}}
  {{- $_ := set $all $key $value -}}
{{- end -}}
{{- toJson $all -}}
{{- end -}}

{{/* What a node with these labels (the second) says of a selector: implied, excluded, or open. */}}
{{- define "orlop.relation" -}}
{{- $labels := index . 1 -}}
{{- $relation := "implied" -}}
{{- range $key, $value := index . 0 -}}
  {{- if not (hasKey $labels $key) -}}
    {{- if ne $relation "excluded" -}}{{- $relation = "open" -}}{{- end -}}
  {{- else if ne (get $labels $key) $value -}}
    {{- $relation = "excluded" -}}
  {{- end -}}
{{- end -}}
{{- $relation -}}
{{- end -}}

{{/* The terms of a node affinity, as JSON: {terms: […]}, by which a node has none of the selectors that a group is without. */}}
{{- define "orlop.withoutTerms" -}}
{{- $terms := list list -}}
{{- range $selector := . -}}
  {{- $next := list -}}
  {{- range $term := $terms -}}
    {{- range $key := keys $selector | sortAlpha -}}
      {{- $lacks := dict "key" $key "operator" "NotIn" "values" (list (get $selector $key)) -}}
      {{- $next = append $next (append $term $lacks) -}}
    {{- end -}}
  {{- end -}}
  {{- $terms = $next -}}
{{- end -}}
{{- $expressions := list -}}
{{- range $term := $terms -}}
  {{- $expressions = append $expressions (dict "matchExpressions" $term) -}}
{{- end -}}
{{- toJson (dict "terms" $expressions) -}}
{{- end -}}

{{/* Whether a pool is the driver's own one for trying out: nothing says where it is. */}}
{{- define "orlop.isTrial" -}}
{{- if not (or .device .file .path) -}}true{{- end -}}
{{- end -}}

{{/* The pools of a group as the config has them, as JSON: {pools: […]}, or {} for the driver's own one. */}}
{{- define "orlop.configPools" -}}
{{- $pools := list -}}
{{- range $pool := . -}}
  {{- if include "orlop.isTrial" $pool -}}
    {{- if or (gt (len $) 1) (ne $pool.name "default") -}}
      {{- fail (printf "pools: %q has neither device, file nor path. Only a pool that is alone on its nodes and is named default may leave them out: it is the driver's own one for trying out" $pool.name) -}}
    {{- end -}}
    {{- $more := omit $pool "name" "nodeSelector" "storageClasses" -}}
    {{- if $more -}}
      {{- fail (printf "pools: %q has neither device, file nor path, so it is the driver's own one for trying out, which takes no %s" $pool.name (keys $more | sortAlpha | first)) -}}
    {{- end -}}
  {{- else -}}
    {{- include "orlop.checkPool" $pool -}}
    {{- $pools = append $pools (include "orlop.overlaid" (list (dict "kind" "image") (omit $pool "nodeSelector" "storageClasses")) | fromJson) -}}
  {{- end -}}
{{- end -}}
{{- toJson (ternary (dict "pools" $pools) dict (or (empty .) (gt (len $pools) 0))) -}}
{{- end -}}

{{/*
The StorageClasses, as JSON: {classes: [{pool, name, …}]}. Each has its defaults filled in, and is there once for
WaitForFirstConsumer and once for Immediate.
*/}}
{{- define "orlop.storageClasses" -}}
{{- $classes := list -}}
{{- $pools := list -}}
{{- $names := list -}}
{{- range $pool := .Values.pools -}}
  {{- $declared := list -}}
  {{- if hasKey $pool "storageClasses" -}}
    {{- $declared = $pool.storageClasses -}}
  {{- else if not (has $pool.name $pools) -}}
    {{- $declared = list dict -}}
  {{- end -}}
  {{- $pools = append $pools $pool.name -}}
  {{- range $class := $declared -}}
    {{- $usual := dict "name" (printf "%s-%s" (include "orlop.fullname" $) $pool.name) "isDefault" false "reclaimPolicy" "Delete" "immediate" true -}}
    {{- $class = include "orlop.overlaid" (list $usual $class) | fromJson -}}
    {{- $parameters := dict "pool" $pool.name -}}
    {{- with $class.fsType -}}{{- $_ := set $parameters "csi.storage.k8s.io/fstype" . -}}{{- end -}}
    {{- with $class.blockSize -}}{{- $_ := set $parameters "blockSize" (toString .) -}}{{- end -}}
    {{- $mode := dict "parameters" $parameters "mode" "WaitForFirstConsumer" -}}
    {{- $delayed := include "orlop.overlaid" (list $class $mode) | fromJson -}}
    {{- $both := list $delayed -}}
    {{- if $class.immediate -}}
      {{- $_ := set $parameters "placement" "any" -}}
      {{- $name := printf "%s-immediate" $class.name -}}
      {{- $mode := dict "name" $name "parameters" $parameters "mode" "Immediate" "isDefault" false -}}
      {{- $both = append $both (include "orlop.overlaid" (list $class $mode) | fromJson) -}}
    {{- end -}}
    {{- range $one := $both -}}
      {{- if has $one.name $names -}}
        {{- fail (printf "pools: two StorageClasses are named %q: give one of them another name" $one.name) -}}
      {{- end -}}
      {{- $names = append $names $one.name -}}
      {{- $classes = append $classes $one -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- toJson (dict "classes" $classes) -}}
{{- end -}}

{{/* The config of a group: (list group root). */}}
{{- define "orlop.nodeConfig" -}}
{{- $root := index . 1 -}}
{{- $config := include "orlop.config" $root | fromJson -}}
{{- $_ := set $config "kubeletRoot" $root.Values.kubeletDir -}}
{{- /* What one driver mounts, the next one and kubelet have to see. */ -}}
{{- $_ := set $config "requireSharedMounts" true -}}
{{- if eq $root.Values.registration "builtin" -}}
  {{- $_ := set $config "registration" "on" -}}
{{- end -}}
{{- $roles := include "orlop.configRoles" $root | fromJson -}}
{{- $config = include "orlop.overlaid" (list $config $roles) | fromJson -}}
{{- $pools := include "orlop.configPools" (index . 0).pools | fromJson -}}
{{- include "orlop.overlaid" (list $config $pools) | fromJson | toYaml -}}
{{- end -}}

{{/* The directories of the host that a group's pools and its emptyDirs are in, as JSON: {directories: […]}: (list pools root). */}}
{{- define "orlop.directories" -}}
{{- $all := list -}}
{{- range index . 0 -}}
  {{- $all = append $all (default (ternary (dir (default "/" .file)) "" (not (empty .file))) .path) -}}
{{- end -}}
{{- with (index . 1).Values.roles.scratch -}}
  {{- $all = append $all (ternary .path "" .enabled) -}}
{{- end -}}
{{- $directories := list -}}
{{- range $directory := uniq $all -}}
  {{- /* The driver's own directory is there anyway. */ -}}
  {{- if and $directory (not (hasPrefix "/var/lib/orlop/" (printf "%s/" $directory))) -}}
    {{- $directories = append $directories $directory -}}
  {{- end -}}
{{- end -}}
{{- toJson (dict "directories" $directories) -}}
{{- end -}}

{{/* Whole Mi or Gi, in Mi. */}}
{{- define "orlop.mebibytes" -}}
{{- ternary (mul 1024 (trimSuffix "Gi" . | int64)) (trimSuffix "Mi" . | int64) (hasSuffix "Gi" .) -}}
{{- end -}}

{{/*
What the driver on a node may take of the memory: 64 MiB of its own, what its programs need, and what the config role has in
memory for pods, which is charged to whoever wrote it.
*/}}
{{- define "orlop.nodeResources" -}}
{{- $tools := .Values.node.toolMemory -}}
{{- $mebibytes := include "orlop.mebibytes" $tools | int64 -}}
{{- if .Values.roles.config.enabled -}}
  {{- $mebibytes = add $mebibytes (include "orlop.mebibytes" .Values.roles.config.maxBytes | int64) -}}
{{- end -}}
{{- $resources := deepCopy .Values.node.resources -}}
{{- $limits := default dict $resources.limits -}}
{{- if not (hasKey $limits "memory") -}}
  {{- $_ := set $limits "memory" (printf "%dMi" (add 64 $mebibytes)) -}}
{{- end -}}
{{- $_ := set $resources "limits" $limits -}}
{{- toYaml $resources -}}
{{- end -}}
