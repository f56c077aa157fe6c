package identity

import (
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/structpb"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/provision"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

func TestTheLabelOfAPodProvesANameThatIsTooLongForIt(t *testing.T) {
	long := strings.Repeat("gateway-", 9) + "x"
	label := provision.LabelValue(long)
	for _, c := range []struct{ what, namespace, says, want string }{
		{"it says the whole name", "shop", long, long},
		{"it says another long name", "shop", long + "y", label},
		{"it says that name in another namespace", "other", long, label},
		{"it says the label", "shop", label, label},
		{"it says nothing", "", "", label},
	} {
		node := &corev3.Node{Metadata: &structpb.Struct{Fields: map[string]*structpb.Value{
			bootstrap.MetadataNamespace: structpb.NewStringValue(c.namespace), bootstrap.MetadataGateway: structpb.NewStringValue(c.says),
		}}}
		if got := labelled(types.NamespacedName{Namespace: "shop", Name: label}, node); got != (types.NamespacedName{Namespace: "shop", Name: c.want}) {
			t.Errorf("%s: it is a proxy of %s, want %s", c.what, got, c.want)
		}
	}
}
