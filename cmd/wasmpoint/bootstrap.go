package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"

	extv1 "github.com/wasmpoint/wasmpoint/apis/extensions/v1alpha1"
	"github.com/wasmpoint/wasmpoint/controllers/pki"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

func newBootstrapCommand() *cobra.Command {
	var gateway, ca, namespace, cert, key string
	c := bootstrap.Config{}
	x := &externalFlags{}
	cmd := &cobra.Command{
		Use:   "bootstrap {--gateway NAMESPACE/NAME | --external | --for istio}",
		Short: "Print the configuration with which an Envoy becomes a proxy of a Gateway, or asks for plugins alone",
		Long: `Bootstrap prints what Envoy needs to start: whose proxy it is, and where the controller is. Listeners, routes and plugins
come from there. Envoy must be 1.39 or later.

The controller knows a proxy by the token of its Pod: project one with the audience ` + bootstrap.TokenAudience + ` into the Pod, name its
file with --token-file, and the Pod with --id. Envoy reads the file again when the kubelet renews it.

With --external, somebody else programs the Envoy, and it asks for its plugins alone: what is printed goes into its own bootstrap.
With --for istio that somebody is Istio, and what is printed is an EnvoyFilter and a bootstrap override. Its Pods need the label
` + extv1.LabelProxy + ` (` + extv1.ProxyExternal + ` or ` + extv1.ProxyIstio + `), or that of a Gateway (` + extv1.LabelGatewayName + `).`,
		Example: `  # a controller on this machine, without TLS
  wasmpoint bootstrap --gateway default/bookinfo-gateway --xds 127.0.0.1:15010 --modules 127.0.0.1:15011 > proxy.json
  envoy -c proxy.json

  # a controller in the cluster, over TLS
  kubectl get configmap -n wasmpoint-system wasmpoint-ca -o jsonpath='{.data.ca\.crt}' > ca.crt
  wasmpoint bootstrap --gateway default/bookinfo-gateway --xds wasmpoint.wasmpoint-system.svc:15010 \
    --modules wasmpoint.wasmpoint-system.svc:15011 --ca ca.crt --id "$POD_NAME" \
    --token-file /var/run/secrets/wasmpoint.dev/token > proxy.json

  # an Envoy with a bootstrap of your own, beside a workload that listens on 8080: what comes in, and what goes out to port 9080
  wasmpoint bootstrap --external --at inbound:8080 --at outbound:9080 --xds wasmpoint.wasmpoint-system.svc:15010 \
    --modules wasmpoint.wasmpoint-system.svc:15011 --ca ca.crt --token-file /var/run/secrets/wasmpoint.dev/token

  # an Envoy with a bootstrap of your own for a Gateway, which opens without plugins while the controller was never reached
  wasmpoint bootstrap --external --gateway default/bookinfo-gateway --at 8080 --ads --when-away open

  # Istio's ingress gateway
  wasmpoint bootstrap --for istio --namespace istio-system --selector istio=ingressgateway --at gateway:8080 \
    --xds wasmpoint.wasmpoint-system.svc:15010 --modules wasmpoint.wasmpoint-system.svc:15011 --ca ca.crt \
    --token-file /var/run/secrets/wasmpoint.dev/token`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			other, err := x.wanted(cmd.Flags())
			if err != nil {
				return err
			}
			ns, name, ok := strings.Cut(gateway, "/")
			if (!other || gateway != "") && (!ok || ns == "" || name == "") {
				return fmt.Errorf("--gateway %q: give NAMESPACE/NAME, such as default/bookinfo-gateway", gateway)
			}
			c.Gateway = types.NamespacedName{Namespace: ns, Name: name}
			if c.ID == "" && !other {
				host, err := os.Hostname()
				if err != nil {
					return fmt.Errorf("--id: %w; name the proxy", err)
				}
				c.ID = name + "-" + host
			}
			if ca != "" {
				pem, err := os.ReadFile(ca)
				if err != nil {
					return fmt.Errorf("--ca: %w", err)
				}
				c.TLS = &bootstrap.TLS{CA: pem, Name: pki.ServerName(namespace)}
			}
			if cert != "" || key != "" {
				switch {
				case c.TLS == nil:
					return errors.New("--cert and --key need --ca: a certificate is shown over TLS alone")
				case c.TokenFile != "":
					return errors.New("--cert and --token-file exclude each other: a proxy in a Pod shows its token, one outside of the cluster its certificate")
				case gateway == "":
					return errors.New("--cert needs --gateway: a certificate names the Gateway whose proxy it is")
				}
				c.TLS.CertFile, c.TLS.KeyFile = cert, key
			}
			var out []byte
			if other {
				out, err = x.print(c, c.Gateway)
			} else {
				out, err = bootstrap.JSON(c)
			}
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(out)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&gateway, "gateway", "", "the Gateway whose proxy it is, NAMESPACE/NAME")
	f.StringVar(&c.ID, "id", "", "the proxy's name among all proxies, in a Pod the Pod's name (default: the Gateway's name and the host's)")
	f.StringVar(&c.XDS, "xds", "127.0.0.1:15010", "the controller's xDS server")
	f.StringVar(&c.Modules, "modules", "127.0.0.1:15011", "the controller's module server")
	f.StringVar(&c.Admin, "admin", "127.0.0.1:15000", "where Envoy's own admin endpoint is to listen; loopback or unix:/path")
	f.StringVar(&c.Ready, "ready", "", "where to answer /ready to everybody, HOST:PORT; the proxy then waits for its first listeners (default: nowhere)")
	f.StringVar(&ca, "ca", "", "a file with the controller's CA (ConfigMap wasmpoint-ca), for TLS")
	f.StringVar(&c.TokenFile, "token-file", "", "the file with the token of the proxy's Pod, for the audience "+bootstrap.TokenAudience)
	f.StringVar(&cert, "cert", "", "outside of the cluster: a file with a certificate of the CA for the Gateway (controllers/pki)")
	f.StringVar(&key, "key", "", "the file with its key")
	f.StringVar(&namespace, "controller-namespace", "wasmpoint-system", "the controller's namespace, which stands in its certificate")
	x.add(f)
	return cmd
}
