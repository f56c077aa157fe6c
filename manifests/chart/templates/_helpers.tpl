{{/* Names are fixed: proxies verify wasmpoint.NAMESPACE.svc, and one installation serves a cluster. */}}
{{- define "wasmpoint.labels" -}}
app.kubernetes.io/name: wasmpoint
{{- end }}

{{- define "wasmpoint.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end }}

{{- define "wasmpoint.subject" -}}
- kind: ServiceAccount
  name: wasmpoint
  namespace: {{ .Release.Namespace }}
{{- end }}

{{/* The configuration file. The addresses are those of the Services and probes; with TLS, because plain text is for loopback, and
proxies are elsewhere. Keys without a value are left out. */}}
{{- define "wasmpoint.config" -}}
apiVersion: config.wasmpoint.dev/v1alpha1
kind: ControllerConfig
xds:
  address: ":15010"
modules:
  address: ":15011"
peers:
  address: ":15012"
metrics:
  address: ":15014"
health:
  address: ":15021"
admin:
  address: 127.0.0.1:15900
dataDir: /var/lib/wasmpoint
{{ toYaml (set (omit .Values.config "client" "mirrors") "tls" (dict "enabled" true)) }}
{{- with .Values.config.client }}
client:
  {{- with .burst }}
  burst: {{ int64 . }}
  {{- end }}
  {{- with .qps }}
  qps: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.config.mirrors }}
mirrors:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{ end }}
