{{/* What the configuration says, as YAML; refuses what cannot work before anything is installed. */}}
{{- define "anchorwatch.config" -}}
{{- if not .Values.config -}}
{{- fail "config is empty: it is the text of anchorwatch.yaml. Add --set-file config=anchorwatch.yaml" -}}
{{- end -}}
{{- $config := fromYaml .Values.config -}}
{{- if hasKey $config "Error" -}}
{{- fail (printf "config is no YAML mapping: %s" $config.Error) -}}
{{- end -}}
{{- if not (dig "kafka" "bootstrap_servers" "" $config) -}}
{{- fail "config names no brokers: say kafka.bootstrap_servers, for example [kafka.kafka:9092]" -}}
{{- end -}}
{{- if and .Values.teams (not $config.include) -}}
{{- fail "teams has files that config does not include: say include: [models.d/*.yaml] in it" -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* host:port of each broker to ask first, joined by commas. */}}
{{- define "anchorwatch.brokers" -}}
{{- $brokers := (include "anchorwatch.config" . | fromYaml).kafka.bootstrap_servers -}}
{{- ternary (join "," $brokers) $brokers (kindIs "slice" $brokers) | replace " " "" -}}
{{- end -}}

{{/* What the chart decides, and where commands find the configuration: kubectl exec ... anchorwatch check */}}
{{- define "anchorwatch.environment" -}}
- {name: ANCHORWATCH_CONFIG, value: /etc/anchorwatch/config/anchorwatch.yaml}
- {name: ANCHORWATCH_ROLE, value: {{ .component }}}
- {name: ANCHORWATCH_STATE__STORE, value: {{ ternary "directory" "topic" (eq .component "all") }}}
{{- if eq .component "all" }}
- {name: ANCHORWATCH_STATE__PATH, value: /var/lib/anchorwatch}
{{- end }}
- {name: ANCHORWATCH_WEB__LISTEN, value: "0.0.0.0:{{ .Values.port }}"}
{{- end -}}
