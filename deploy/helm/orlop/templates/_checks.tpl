{{/* What the driver would refuse at its start, or nobody would reach: here it is refused before anything is changed. */}}

{{/* Whether a pool says what it can be. */}}
{{- define "orlop.checkPool" -}}
{{- $usual := ternary "thin" "thick" (hasKey . "path") -}}
{{- if eq "thin" (default $usual .provisioning) -}}
  {{- $ratio := toString (ternary .ratio 2 (hasKey . "ratio")) -}}
  {{- if not (and (regexMatch "^[0-9]+([.][0-9]{1,2})?$" $ratio) (ge (float64 $ratio) 1.0) (le (float64 $ratio) 1000.0)) -}}
    {{- fail (printf "pools: %q has the ratio %s: write a number from 1 to 1000, such as 2 or 1.5" .name $ratio) -}}
  {{- end -}}
  {{- $reserve := default "2%" .reserve -}}
  {{- $lowWater := default "5%" .lowWater -}}
  {{- if ge (trimSuffix "%" $reserve | int) (trimSuffix "%" $lowWater | int) -}}
    {{- fail (printf "pools: %q has a reserve of %s, which is not below its lowWater of %s: a new volume would be paused at once" .name $reserve $lowWater) -}}
  {{- end -}}
{{- else -}}
  {{- range $key := list "ratio" "lowWater" "whenFull" -}}
    {{- if hasKey $ $key -}}
      {{- fail (printf "pools: %q is thick, and %s is for pools with provisioning: thin" $.name $key) -}}
    {{- end -}}
  {{- end -}}
  {{- if and (hasKey . "path") (not .shared) -}}
    {{- fail (printf "pools: %q is thick on a file system that others can fill: it needs shared: accepted" .name) -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/* Whether kubelet can ask the pods how they are. */}}
{{- define "orlop.checkMetrics" -}}
{{- with .Values.metrics.host -}}
  {{- if or (hasPrefix "127." .) (eq "[::1]" .) -}}
    {{- fail (printf "metrics.host: at %s nobody reaches a pod but itself, and kubelet asks there whether it is ready: leave it out, or write 0.0.0.0" .) -}}
  {{- end -}}
{{- end -}}
{{- if and (include "orlop.isProbed" .) (eq 9808 (int .Values.metrics.port)) -}}
  {{- fail "metrics.port: 9808 is that of the livenessprobe beside the driver: choose another one" -}}
{{- end -}}
{{- end -}}
