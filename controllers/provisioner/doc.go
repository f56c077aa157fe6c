// Package provisioner keeps the objects of managed Gateways in the API server what package provision says: it applies what
// is missing or was changed, removes what is left over, and tells what became of it. Only the leader runs it.
//
// It applies nothing twice: every object carries the hash of what was applied, and is compared with the cache. An object of
// the name that is not the Gateway's is never touched.
package provisioner

import (
	"log/slog"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wasmpoint/wasmpoint/controllers/attach"
	"github.com/wasmpoint/wasmpoint/controllers/provision"
)

// Manager is the field manager of what is applied.
const Manager = "wasmpoint.dev/controller"

// Options configure a Provisioner. All are needed but Off and Logger.
type Options struct {
	// Off makes nothing: somebody else runs all proxies. What was made before stays.
	Off bool
	// Cache has Gateways, GatewayClasses and Services, and gets watches of the other kinds, which CacheOptions narrow down.
	Cache cache.Cache
	// Client writes, and reads single objects from the API server before they are written first: unstructured ones, which must
	// not come from a cache (that is so for a controller-runtime client as it comes).
	Client client.Client
	// Core is the REST client of the core group, for ConfigMaps with parameters.
	Core rest.Interface
	// Attach says what class names mean.
	Attach attach.Config
	// Facts are those of the installation now; they change with the CA.
	Facts func() provision.Facts
	// Changed is called when State of a Gateway, ClassChanged when ClassState of a class may say something else. They must not
	// block.
	Changed      func(types.NamespacedName)
	ClassChanged func(string)
	Logger       *slog.Logger
}

// owned are the kinds that are provisioned, in the order in which leftovers go.
func owned() []client.Object {
	return []client.Object{
		&appsv1.Deployment{}, &policyv1.PodDisruptionBudget{}, &networkingv1.NetworkPolicy{},
		&corev1.Service{}, &corev1.ConfigMap{}, &corev1.ServiceAccount{},
	}
}

// Times of looking again.
const (
	// patience is how long an error of the API server that may pass changes no status.
	patience = time.Minute
	// availableEvery is how often it is looked whether new proxies serve, while old ones stay for them, and newGrace how long at
	// most.
	availableEvery = 2 * time.Second
	newGrace       = 10 * time.Minute
	// factsEvery is how often the installation's facts are compared.
	factsEvery = 30 * time.Second
	// firstFight and lastFight bound how long to wait before an object is applied again that somebody keeps changing.
	firstFight = 2 * time.Second
	lastFight  = 5 * time.Minute
)
