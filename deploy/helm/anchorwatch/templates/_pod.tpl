{{/* The pod of one component: all, worker or judge. */}}
{{- define "anchorwatch.pod" -}}
metadata:
  labels:
    {{- include "anchorwatch.labels" . | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # A changed configuration starts pods anew; files of teams are taken up without.
    checksum/config: {{ .Values.config | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "anchorwatch.serviceAccountName" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if eq .component "worker" }}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - topologyKey: {{ . }}
      maxSkew: 1
      whenUnsatisfiable: ScheduleAnyway
      matchLabelKeys: [pod-template-hash]
      labelSelector:
        matchLabels:
          {{- include "anchorwatch.selector" $ | nindent 10 }}
          app.kubernetes.io/component: worker
    {{- end }}
  {{- end }}
  containers:
    - name: anchorwatch
      image: {{ include "anchorwatch.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [run]
      env:
        {{- include "anchorwatch.environment" . | nindent 8 }}
        {{- with .Values.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - {name: http, containerPort: {{ .Values.port }}, protocol: TCP}
      {{- include "anchorwatch.probes" . | nindent 6 }}
      resources:
        {{- toYaml (index .Values .component).resources | nindent 8 }}
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      volumeMounts:
        {{- include "anchorwatch.mounts" . | nindent 8 }}
  volumes:
    {{- include "anchorwatch.volumes" . | nindent 4 }}
{{- end -}}

{{/* Alive is what the watchdog says: a broker that is away restarts nobody. */}}
{{- define "anchorwatch.probes" -}}
{{- $scheme := ternary "HTTPS" "HTTP" .Values.tls -}}
startupProbe:
  httpGet: {path: /livez, port: http, scheme: {{ $scheme }}}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: http, scheme: {{ $scheme }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: http, scheme: {{ $scheme }}}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
{{- end -}}

{{- define "anchorwatch.mounts" -}}
- {name: config, mountPath: /etc/anchorwatch/config, readOnly: true}
{{- if .Values.references }}
- {name: references, mountPath: /etc/anchorwatch/references, readOnly: true}
{{- end }}
{{- range .Values.secrets }}
- {name: secret-{{ .name }}, mountPath: /etc/anchorwatch/secrets/{{ .name }}, readOnly: true}
{{- end }}
{{- if eq .component "all" }}
- {name: state, mountPath: /var/lib/anchorwatch}
{{- end }}
{{- end -}}

{{/* State of mode all is a claim of its StatefulSet. */}}
{{- define "anchorwatch.volumes" -}}
- name: config
  projected:
    defaultMode: 0440
    sources:
      - configMap:
          name: {{ include "anchorwatch.fullname" . }}
          items: [{key: anchorwatch.yaml, path: anchorwatch.yaml}]
      {{- if .Values.teams }}
      - configMap:
          name: {{ include "anchorwatch.fullname" . }}-teams
          items:
            {{- range $name, $_ := .Values.teams }}
            - {key: {{ $name }}, path: models.d/{{ $name }}}
            {{- end }}
      {{- end }}
{{- with .Values.references }}
- name: references
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- range .Values.secrets }}
- name: secret-{{ .name }}
  secret: {secretName: {{ .secretName }}, defaultMode: 0440}
{{- end }}
{{- end -}}
