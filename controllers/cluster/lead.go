package cluster

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wasmpoint/wasmpoint/controllers/metrics"
	"github.com/wasmpoint/wasmpoint/controllers/peers"
)

// Times of the leader election: a leader that is cut off stops to write after renewDeadline, and another one begins after
// leaseDuration. The Lease moves every retryPeriod, by which replicas know that they hear the API server.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = 2 * time.Second
)

// lead does the leader's work whenever this replica leads, until ctx ends. controller-runtime's own election ends the process
// with the leadership, and with it the streams of all its proxies; so client-go's is used.
func (r *replica) lead(ctx context.Context) {
	select {
	case <-r.source.Ready(): // who does not know the cluster has nothing to write
	case <-ctx.Done():
		return
	}
	if !r.c.LeaderElection.Enabled {
		r.write(ctx)
		return
	}
	lock := &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: r.c.Namespace, Name: r.c.LeaderElection.LeaseName},
		Client:     r.clientset.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: r.c.Replica},
	}
	for ctx.Err() == nil {
		done := make(chan struct{})
		term, end := context.WithCancel(ctx)
		var leads atomic.Bool
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: observedLock{
				Interface: lock,
				holder: func(name string) {
					if name != "" && name != r.c.Replica && leads.Load() {
						end()
					}
				},
			},
			LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
			Name: "wasmpoint",
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(ctx context.Context) {
					defer close(done)
					leads.Store(true)
					r.log.Info("this replica leads", "replica", r.c.Replica)
					r.write(ctx)
				},
				OnStoppedLeading: func() {},
				OnNewLeader: func(name string) {
					if name != r.c.Replica {
						r.log.Info("another replica leads", "leader", name)
					}
				},
			},
		})
		if err != nil {
			end()
			r.log.Error("leader election", "error", err)
			return
		}
		elector.Run(term) // until the leadership is lost
		end()
		if elector.IsLeader() || ctx.Err() == nil {
			r.log.Warn("this replica does not lead any more; its proxies go on", "replica", r.c.Replica)
		}
		if !leads.Load() {
			continue // nothing was begun
		}
		select {
		case <-done: // it writes no more, before it may lead again, or another one
			r.release(lock)
		case <-time.After(renewDeadline):
		}
	}
}

// release gives the Lease up, so that another replica need not wait until it is over. client-go's own release comes before
// the writing has ended.
func (r *replica) release(lock *resourcelock.LeaseLock) {
	ctx, cancel := context.WithTimeout(context.Background(), retryPeriod)
	defer cancel()
	record, _, err := lock.Get(ctx)
	if err != nil || record.HolderIdentity != r.c.Replica {
		return
	}
	record.HolderIdentity, record.LeaseDurationSeconds = "", 1
	if err := lock.Update(ctx, *record); err != nil {
		r.log.Info("the Lease was not given up; it ends by itself", "error", err)
	}
}

// observedLock tells who holds the Lease whenever that is read. The elector itself goes on for renewDeadline when somebody
// took the Lease over from it, and as long two replicas would write.
type observedLock struct {
	resourcelock.Interface
	holder func(name string)
}

func (l observedLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	if err == nil {
		l.holder(record.HolderIdentity)
	}
	return record, raw, err
}

// write is the leader's work.
func (r *replica) write(ctx context.Context) {
	if ctx.Err() != nil {
		return // the term was over before this began
	}
	r.leadsSince.Store(time.Now().UnixNano())
	metrics.Leads(true)
	defer metrics.Leads(false)
	r.good.SetLeader(true)
	defer r.good.SetLeader(false)
	defer func() {
		if r.stopping() {
			<-r.saved
		}
	}()
	// Nothing is written before the others told of their proxies: a new leader would count too few.
	complete := make(chan struct{})
	options := peers.Options{Self: r.c.Replica, Peers: r.peers, Sink: r.engine, Logger: r.log, Complete: func() { close(complete) }}
	if r.authority != nil {
		_, config, err := r.authority.Peer()
		if err != nil {
			r.log.Error("peers cannot be asked, so nothing is written", "error", err)
			return
		}
		options.TLS = config
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		peers.Run(ctx, options)
	}()
	select {
	case <-complete:
		provisioned := make(chan struct{})
		go func() {
			defer close(provisioned)
			if err := r.provision.Run(ctx); err != nil {
				r.log.Error("Gateways get no proxies", "error", err)
			}
		}()
		defer func() { <-provisioned }()
		if err := r.publisher.Run(ctx); err != nil {
			r.log.Error("status is not written", "error", err)
		}
	case <-ctx.Done():
	}
	<-ended
}

// peers are the addresses of the other replicas.
func (r *replica) peers() []string {
	if len(r.c.Peers.Static) > 0 {
		return r.c.Peers.Static
	}
	var list discoveryv1.EndpointSliceList
	err := r.manager.GetCache().List(context.Background(), &list, client.InNamespace(r.c.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: r.c.Peers.Service})
	if err != nil {
		r.log.Error("replicas cannot be listed", "service", r.c.Peers.Service, "error", err)
		return nil
	}
	_, port, err := net.SplitHostPort(r.c.Peers.Address)
	if err != nil {
		return nil // checked by Complete
	}
	var out []string
	for _, slice := range list.Items {
		for _, e := range slice.Endpoints {
			if e.TargetRef != nil && e.TargetRef.Name == r.c.Replica || len(e.Addresses) == 0 {
				continue
			}
			out = append(out, net.JoinHostPort(strings.Trim(e.Addresses[0], "[]"), port))
		}
	}
	return out
}
