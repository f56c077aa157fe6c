package node_test

import "strings"

// gateway is a Deployment of proxies in the form in which the controller makes them, with a bootstrap that needs nobody.
// Each answers with the name of its Pod, on a port that needs a right, as a user who is not root.
const gateway = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: gateway, namespace: NAMESPACE}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: gateway, namespace: NAMESPACE}
data:
  envoy.yaml: |
    admin: {address: {socket_address: {address: 127.0.0.1, port_value: 15000}}}
    static_resources:
      listeners:
      - name: http
        address: {socket_address: {address: 0.0.0.0, port_value: 80}}
        filter_chains:
        - filters:
          - name: envoy.filters.network.http_connection_manager
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
              stat_prefix: http
              route_config:
                response_headers_to_add:
                - header: {key: x-pod, value: "%ENVIRONMENT(POD_NAME)%"}
                virtual_hosts:
                - {name: all, domains: ["*"], routes: [{match: {prefix: /}, direct_response: {status: 200, body: {inline_string: TEXT}}}]}
              http_filters:
              - name: envoy.filters.http.router
                typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
---
apiVersion: v1
kind: Service
metadata: {name: gateway, namespace: NAMESPACE}
spec:
  selector: {app: gateway}
  ports: [{name: http, port: 8080, targetPort: http}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: gateway, namespace: NAMESPACE}
spec:
  replicas: 2
  selector: {matchLabels: {app: gateway}}
  strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  template:
    metadata: {labels: {app: gateway}, annotations: {version: VERSION}}
    spec:
      serviceAccountName: gateway
      terminationGracePeriodSeconds: 10
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        runAsGroup: 65532
        sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: "0"}]
      containers:
      - name: envoy
        image: docker.io/envoyproxy/envoy:distroless-v1.40.0
        args: [-c, /etc/wasmpoint/bootstrap/envoy.yaml, --disable-hot-restart, --service-node, $(POD_NAME), --service-cluster, $(POD_NAMESPACE), --concurrency, "1", --log-level, warning]
        env:
        - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
        - {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
        ports: [{name: http, containerPort: 80}]
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
        startupProbe: {httpGet: {port: http, path: /}, periodSeconds: 1, failureThreshold: 60}
        readinessProbe: {httpGet: {port: http, path: /}, periodSeconds: 1}
        livenessProbe: {tcpSocket: {port: http}, periodSeconds: 1}
        lifecycle: {preStop: {sleep: {seconds: 1}}}
        volumeMounts:
        - {name: bootstrap, mountPath: /etc/wasmpoint/bootstrap, readOnly: true}
        - {name: token, mountPath: /var/run/secrets/tokens, readOnly: true}
        - {name: tmp, mountPath: /tmp}
      volumes:
      - {name: bootstrap, configMap: {name: gateway}}
      - {name: tmp, emptyDir: {}}
      - name: token
        projected:
          sources:
          - serviceAccountToken: {path: xds-token, audience: wasmpoint, expirationSeconds: 600}
          - configMap: {name: kube-root-ca.crt}
          - downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}
`

// fill fills in the variables of a manifest: NAME, VALUE, …
func fill(manifest string, pairs ...string) []byte {
	return []byte(strings.NewReplacer(pairs...).Replace(manifest))
}
