package cluster

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/attach"
	"github.com/wasmpoint/wasmpoint/controllers/provision"
	"github.com/wasmpoint/wasmpoint/controllers/provisioner"
	"github.com/wasmpoint/wasmpoint/controllers/status"
	"github.com/wasmpoint/wasmpoint/controllers/store"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

func (r *replica) newProvisioner() *provisioner.Provisioner {
	return provisioner.New(provisioner.Options{
		Off:   !r.c.Provisioning.Enabled,
		Cache: r.manager.GetCache(), Client: r.manager.GetClient(), Core: r.clientset.CoreV1().RESTClient(),
		Attach:       attach.Config{RootNamespace: r.c.RootNamespace, ClassAliases: r.aliases()},
		Facts:        r.facts,
		Changed:      func(gw types.NamespacedName) { r.publisher.Dirty(status.Dirty{Gateways: []types.NamespacedName{gw}}) },
		ClassChanged: func(name string) { r.publisher.DirtyClass(name) },
		Logger:       r.log,
	})
}

// facts are what proxies are told about this controller.
func (r *replica) facts() provision.Facts {
	f := provision.Facts{
		Image: r.c.Provisioning.Image, XDS: r.c.Provisioning.XDSAddress, Modules: r.c.Provisioning.ModulesAddress,
	}
	if r.authority != nil {
		f.TLS = &bootstrap.TLS{CA: r.authority.CAPEM(), Name: r.authority.ServerName()}
	}
	return f
}

// seen passes on that an object changed from which objects or status of Gateway API are made, or in whose status somebody may
// have undone our part.
func (r *replica) seen(ref store.Ref) {
	switch ref.Kind {
	case store.KindGateway:
		r.provision.Touch(ref.NamespacedName)
		r.publisher.Dirty(status.Dirty{Gateways: []types.NamespacedName{ref.NamespacedName}})
	case store.KindGatewayClass:
		r.provision.TouchClass(ref.Name)
		r.publisher.DirtyClass(ref.Name)
	case store.KindHTTPRoute:
		r.publisher.Dirty(status.Dirty{Routes: []types.NamespacedName{ref.NamespacedName}})
	}
}
