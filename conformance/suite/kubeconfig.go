package suite

import (
	"errors"
	"fmt"
	"net"
	"net/url"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// RelayedKubeconfig writes the current context of a kubeconfig for use where the API server is reached at another address,
// through a relay, and gives the server's own address (host:port).
func RelayedKubeconfig(from, to, relay string) (address string, err error) {
	k, err := clientcmd.LoadFromFile(from)
	if err != nil {
		return "", err
	}
	if err := clientcmdapi.MinifyConfig(k); err != nil {
		return "", fmt.Errorf("%s: %w", from, err)
	}
	if err := clientcmdapi.FlattenConfig(k); err != nil {
		return "", fmt.Errorf("%s: %w", from, err)
	}
	context := k.Contexts[k.CurrentContext]
	if user := k.AuthInfos[context.AuthInfo]; user == nil || user.Exec != nil || user.AuthProvider != nil {
		return "", fmt.Errorf("%s: the user of context %s needs a token or a client certificate: a program that asks for one has no network inside", from, k.CurrentContext)
	}
	cluster := k.Clusters[context.Cluster]
	server, err := url.Parse(cluster.Server)
	if err != nil || server.Scheme != "https" {
		return "", errors.Join(err, fmt.Errorf("%s: server %q is no https:// URL", from, cluster.Server))
	}
	if cluster.TLSServerName == "" && !cluster.InsecureSkipTLSVerify {
		cluster.TLSServerName = server.Hostname()
	}
	port := server.Port()
	if port == "" {
		port = "443"
	}
	address = net.JoinHostPort(server.Hostname(), port)
	server.Host = relay
	cluster.Server, cluster.ProxyURL = server.String(), ""
	return address, clientcmd.WriteToFile(*k, to)
}
