package suite

import (
	"context"
	"path/filepath"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	testcluster "github.com/wasmpoint/wasmpoint/conformance/cluster"
)

// connect makes the client of the suite.
func (s *Suite) connect(t *testing.T) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig)
	must(t, err)
	config.QPS, config.UserAgent = -1, "wasmpoint-conformance"
	s.client, err = client.NewWithWatch(config, client.Options{Scheme: testcluster.Scheme()})
	must(t, err)
	d, err := discovery.NewDiscoveryClientForConfig(config)
	must(t, err)
	version, err := d.ServerVersion()
	must(t, err)
	s.About.KubernetesVersion = version.GitVersion
}

// describeGatewayAPI reads version and channel from the CRDs of the cluster.
func (s *Suite) describeGatewayAPI(t *testing.T) {
	t.Helper()
	var crd apiextensionsv1.CustomResourceDefinition
	must(t, s.client.Get(context.Background(), client.ObjectKey{Name: "gateways.gateway.networking.k8s.io"}, &crd))
	s.About.GatewayAPIVersion = crd.Annotations["gateway.networking.k8s.io/bundle-version"]
	s.About.GatewayAPIChannel = crd.Annotations["gateway.networking.k8s.io/channel"]
}

// kubeconfigFor is a file with the rights of a ServiceAccount, by a token that is valid for a day.
func (s *Suite) kubeconfigFor(t *testing.T, namespace, name string) string {
	t.Helper()
	account := &corev1.ServiceAccount{}
	account.Namespace, account.Name = namespace, name
	day := int64(24 * 60 * 60)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &day}}
	if err := s.client.SubResource("token").Create(context.Background(), account, request); err != nil {
		t.Fatalf("token of ServiceAccount %s/%s: %v", namespace, name, err)
	}
	k, err := clientcmd.LoadFromFile(s.Kubeconfig)
	must(t, err)
	must(t, clientcmdapi.FlattenConfig(k)) // so that files beside it are found
	context := k.Contexts[k.CurrentContext]
	k.AuthInfos = map[string]*clientcmdapi.AuthInfo{"wasmpoint": {Token: request.Status.Token}}
	context.AuthInfo = "wasmpoint"
	k.Contexts = map[string]*clientcmdapi.Context{k.CurrentContext: context}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	must(t, clientcmd.WriteToFile(*k, path))
	return path
}
