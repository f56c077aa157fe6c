package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// serverName is in the API server's certificate whatever address leads to it.
const serverName = "kubernetes.default.svc"

// Kubeconfig is the path of a kubeconfig that may do everything.
func (c *Cluster) Kubeconfig() string {
	c.t.Helper()
	return c.writeKubeconfig(c.address(), adminToken)
}

// KubeconfigFor is the path of a kubeconfig that may do what RBAC allows the ServiceAccount, which must exist. Its token
// is valid for a day.
func (c *Cluster) KubeconfigFor(serviceAccountNamespace, name string) string {
	c.t.Helper()
	return c.writeKubeconfig(c.address(), c.token(serviceAccountNamespace, name))
}

// token asks for a token of a ServiceAccount.
func (c *Cluster) token(namespace, name string) string {
	c.t.Helper()
	account := &corev1.ServiceAccount{}
	account.Namespace, account.Name = namespace, name
	day := int64(24 * 60 * 60)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &day}}
	if err := c.client.SubResource("token").Create(context.Background(), account, request); err != nil {
		c.t.Fatalf("token of ServiceAccount %s/%s: %v", namespace, name, err)
	}
	return request.Status.Token
}

// writeKubeconfig writes a kubeconfig for the API server at an address (host:port).
func (c *Cluster) writeKubeconfig(address, token string) string {
	c.t.Helper()
	ca, err := os.ReadFile(filepath.Join(c.dir, certificateFile))
	if err != nil {
		c.t.Fatal(err)
	}
	k := clientcmdapi.NewConfig()
	k.Clusters["cluster"] = &clientcmdapi.Cluster{
		Server: "https://" + address, CertificateAuthorityData: ca, TLSServerName: serverName,
	}
	k.AuthInfos["user"] = &clientcmdapi.AuthInfo{Token: token}
	k.Contexts["context"] = &clientcmdapi.Context{Cluster: "cluster", AuthInfo: "user"}
	k.CurrentContext = "context"
	path := filepath.Join(c.dir, fmt.Sprintf("kubeconfig-%d", c.kubeconfigs.Add(1)))
	if err := clientcmd.WriteToFile(*k, path); err != nil {
		c.t.Fatal(err)
	}
	return path
}
