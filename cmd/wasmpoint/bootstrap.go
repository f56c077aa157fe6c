package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/pki"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

func newBootstrapCommand() *cobra.Command {
	var gateway, ca, namespace string
	c := bootstrap.Config{}
	cmd := &cobra.Command{
		Use:   "bootstrap --gateway NAMESPACE/NAME",
		Short: "Print the configuration with which an Envoy becomes a proxy of a Gateway",
		Long: `Bootstrap prints what Envoy needs to start: whose proxy it is, and where the controller is. Listeners, routes and plugins
come from there. Envoy must be 1.39 or later.

The controller knows a proxy by the token of its Pod: project one with the audience ` + bootstrap.TokenAudience + ` into the Pod, name its
file with --token-file, and the Pod with --id. Envoy reads the file again when the kubelet renews it.`,
		Example: `  # a controller on this machine, without TLS
  wasmpoint bootstrap --gateway default/bookinfo-gateway --xds 127.0.0.1:15010 --modules 127.0.0.1:15011 > proxy.json
  envoy -c proxy.json

  # a controller in the cluster, over TLS
  kubectl get configmap -n wasmpoint-system wasmpoint-ca -o jsonpath='{.data.ca\.crt}' > ca.crt
  wasmpoint bootstrap --gateway default/bookinfo-gateway --xds wasmpoint.wasmpoint-system.svc:15010 \
    --modules wasmpoint.wasmpoint-system.svc:15011 --ca ca.crt --id "$POD_NAME" \
    --token-file /var/run/secrets/wasmpoint.dev/token > proxy.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ns, name, ok := strings.Cut(gateway, "/")
			if !ok || ns == "" || name == "" {
				return fmt.Errorf("--gateway %q: give NAMESPACE/NAME, such as default/bookinfo-gateway", gateway)
			}
			c.Gateway = types.NamespacedName{Namespace: ns, Name: name}
			if c.ID == "" {
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
			out, err := bootstrap.JSON(c)
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
	f.StringVar(&namespace, "controller-namespace", "wasmpoint-system", "the controller's namespace, which stands in its certificate")
	return cmd
}
