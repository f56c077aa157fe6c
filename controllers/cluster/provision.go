package cluster

import (
	"errors"
	"fmt"
	"net"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wasmpoint/wasmpoint/controllers/attach"
	"github.com/wasmpoint/wasmpoint/controllers/pki"
	"github.com/wasmpoint/wasmpoint/controllers/provision"
	"github.com/wasmpoint/wasmpoint/controllers/provisioner"
	"github.com/wasmpoint/wasmpoint/controllers/status"
	"github.com/wasmpoint/wasmpoint/controllers/store"
	"github.com/wasmpoint/wasmpoint/xds/bootstrap"
)

// Provisioning is about the proxies of Gateways of our classes.
type Provisioning struct {
	// Enabled makes Deployments, Services and so on for them; otherwise somebody else runs them.
	Enabled bool `json:"enabled"`
	// Image is the proxies' image, an Envoy 1.39 or later, where a Gateway's parameters name none.
	Image string `json:"image,omitempty"`
	// XDSAddress and ModulesAddress are this controller as its proxies reach it, HOST:PORT; default: Service wasmpoint in the
	// controller's namespace.
	XDSAddress     string `json:"xdsAddress,omitempty"`
	ModulesAddress string `json:"modulesAddress,omitempty"`
}

// DefaultProxyImage is the proxies' image where nobody names one.
const DefaultProxyImage = "docker.io/envoyproxy/envoy:distroless-v1.40.0"

// complete says where proxies find the controller. A server that listens on another port than the Service has is found by
// its own settings alone.
func (p *Provisioning) complete(c *Config) error {
	if p.Enabled && p.Image == "" {
		return errors.New("provisioning.image is empty; name an image of Envoy 1.39 or later")
	}
	for _, at := range []struct {
		field, listens string
		address        *string
	}{
		{"provisioning.xdsAddress", c.XDS.Address, &p.XDSAddress}, {"provisioning.modulesAddress", c.Modules.Address, &p.ModulesAddress},
	} {
		if *at.address == "" {
			_, port, err := net.SplitHostPort(at.listens)
			if err != nil {
				return fmt.Errorf("%s is empty, and nothing is known of the port: %w", at.field, err)
			}
			*at.address = net.JoinHostPort(pki.ServerName(c.Namespace), port)
		}
		if host, _, err := net.SplitHostPort(*at.address); err != nil || host == "" {
			return fmt.Errorf("%s %q: give HOST:PORT, as the proxies reach it", at.field, *at.address)
		}
	}
	return nil
}

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
		f.DrainKey = r.authority.DrainKey()
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
