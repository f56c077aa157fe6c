package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/wasmpoint/wasmpoint/controllers/admin"
)

// The kind of the configuration file.
const (
	ConfigAPIVersion = "config.wasmpoint.dev/v1alpha1"
	ConfigKind       = "ControllerConfig"
)

// Config is the configuration of the controller, in the form of its file. A flag of the command goes before the file.
type Config struct {
	APIVersion string `json:"apiVersion,omitempty"`
	Kind       string `json:"kind,omitempty"`

	// Namespace is the controller's own; default: POD_NAMESPACE, then wasmpoint-system.
	Namespace string `json:"namespace,omitempty"`
	// Replica is this replica's name; default: POD_NAME, then the host's name.
	Replica string `json:"replica,omitempty"`
	// Kubeconfig is a file; default: KUBECONFIG, then the Pod's own credentials.
	Kubeconfig string `json:"kubeconfig,omitempty"`
	// RootNamespace is the namespace whose plugins reach every other.
	RootNamespace string `json:"rootNamespace,omitempty"`
	// ClassAliases makes Gateways of the classes istio and istio-waypoint ours. Not beside an istiod.
	ClassAliases bool `json:"classAliases,omitempty"`
	// DataDir keeps fetched modules over restarts.
	DataDir string `json:"dataDir,omitempty"`
	// ModuleDir is the folder below which file:// URLs may name modules; "": no files. Every replica needs the same files.
	ModuleDir string `json:"moduleDir,omitempty"`
	// HostEnv are the variables of proxies that plugins may read (valueFrom HOST), by name; a * at the end stands for any
	// rest. A Gateway's owner decides besides which other namespaces may (wasmpoint.dev/allow-host-env-from).
	HostEnv []string `json:"hostEnv,omitempty"`
	// WaitForModule is how long a new plugin waits for its module before its fail strategy acts.
	WaitForModule metav1.Duration `json:"waitForModule,omitempty"`
	// StaleAfter is how long the API server may be silent before a replica takes no new proxies and pushes nothing; at least
	// 20 s.
	StaleAfter metav1.Duration `json:"staleAfter,omitempty"`
	// WaypointListen is "loopback", where ztunnel hands connections over, or "pod": on every address of the Pod.
	WaypointListen string `json:"waypointListen,omitempty"`
	// Mirrors maps a registry's host to the host[:port] to ask instead.
	Mirrors map[string]string `json:"mirrors,omitempty"`

	XDS     Listen `json:"xds,omitempty"`
	Modules Listen `json:"modules,omitempty"`
	Peers   Peers  `json:"peers,omitempty"`
	Metrics Listen `json:"metrics,omitempty"`
	Health  Listen `json:"health,omitempty"`
	Admin   Listen `json:"admin,omitempty"`

	Provisioning Provisioning `json:"provisioning,omitempty"`

	TLS            TLS            `json:"tls,omitempty"`
	Proxies        Proxies        `json:"proxies,omitempty"`
	LeaderElection LeaderElection `json:"leaderElection,omitempty"`
	Client         Client         `json:"client,omitempty"`
	Log            Log            `json:"log,omitempty"`
}

// Listen is where something is served. "0" (metrics, health, admin): not at all.
type Listen struct {
	Address string `json:"address,omitempty"`
}

// Peers is where a replica serves what its proxies run, and how it finds the others.
type Peers struct {
	Address string `json:"address,omitempty"`
	// Service is the headless Service whose endpoints are the replicas.
	Service string `json:"service,omitempty"`
	// Static are the other replicas as host:port, instead of the Service's endpoints.
	Static []string `json:"static,omitempty"`
}

// TLS is about xDS, modules and peers.
type TLS struct {
	// Enabled serves them over TLS, with certificates of the CA in the Secret wasmpoint-ca. Without it they are served on loopback
	// alone, for trials on one machine.
	Enabled bool `json:"enabled"`
}

// Proxies is about who may be a proxy.
type Proxies struct {
	// Authentication is "required": a proxy shows the token of its Pod, or a certificate of the CA; or "none": whose proxy one
	// is is its own word, for trials alone.
	Authentication string `json:"authentication,omitempty"`
}

// The values of Proxies.Authentication.
const (
	AuthenticationRequired = "required"
	AuthenticationNone     = "none"
)

// LeaderElection is about which replica writes.
type LeaderElection struct {
	// Enabled must be true with more than one replica.
	Enabled   bool   `json:"enabled"`
	LeaseName string `json:"leaseName,omitempty"`
}

// Client bounds the requests to the API server.
type Client struct {
	// QPS is requests per second, negative: no bound.
	QPS   float32 `json:"qps,omitempty"`
	Burst int     `json:"burst,omitempty"`
}

// Log is about the log.
type Log struct {
	// Level is debug, info, warn or error; Format is json or text.
	Level  string `json:"level,omitempty"`
	Format string `json:"format,omitempty"`
}

// minStaleAfter is longer than it takes another replica to follow a leader that crashed: all of them would stop for seconds.
const minStaleAfter = 20 * time.Second

// Default is the configuration without a file and without flags.
func Default() Config {
	return Config{
		RootNamespace: "istio-system", DataDir: "/var/lib/wasmpoint",
		WaitForModule: metav1.Duration{Duration: 30 * time.Second}, StaleAfter: metav1.Duration{Duration: 30 * time.Second},
		WaypointListen: "loopback", HostEnv: []string{"POD_NAME", "POD_NAMESPACE", "HOSTNAME"},
		XDS: Listen{":15010"}, Modules: Listen{":15011"},
		Peers:        Peers{Address: ":15012", Service: "wasmpoint-peers"},
		Provisioning: Provisioning{Enabled: true, Image: DefaultProxyImage},
		Metrics:      Listen{":15014"}, Health: Listen{":15021"}, Admin: Listen{admin.DefaultAddress},
		TLS: TLS{Enabled: true}, Proxies: Proxies{Authentication: AuthenticationRequired}, LeaderElection: LeaderElection{Enabled: true, LeaseName: "wasmpoint"},
		Client: Client{QPS: 50, Burst: 100}, Log: Log{Level: "info", Format: "json"},
	}
}

// Load reads a file over the configuration: what the file does not name stays. Unknown fields are an error.
func (c *Config) Load(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return fmt.Errorf("configuration %s is empty; it needs at least apiVersion: %s and kind: %s", path, ConfigAPIVersion, ConfigKind)
	}
	if err := yaml.UnmarshalStrict(raw, c); err != nil {
		return fmt.Errorf("configuration %s: %w", path, plainer(err))
	}
	if c.APIVersion != ConfigAPIVersion || c.Kind != ConfigKind {
		return fmt.Errorf("configuration %s is apiVersion %q, kind %q; this wasmpoint reads %s, %s", path, c.APIVersion, c.Kind, ConfigAPIVersion, ConfigKind)
	}
	return nil
}

var goType = regexp.MustCompile(`json: cannot unmarshal (\w+) into Go struct field \w+\.(\S+) of type (\S+)`)

// plainer turns the decoder's error into one about the file.
func plainer(err error) error {
	text := strings.TrimPrefix(err.Error(), "error unmarshaling JSON: while decoding JSON: ")
	if m := goType.FindStringSubmatch(text); m != nil {
		return fmt.Errorf("%s: a %s cannot stand here, want %s", m[2], m[1], m[3])
	}
	return errors.New(strings.TrimPrefix(text, "json: "))
}

var hostEnv = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*\*?|\*)$`)

// Complete fills in what depends on the environment, and checks everything; the error names the field.
func (c *Config) Complete(env func(string) string, hostname func() (string, error)) error {
	if err := c.completeNames(env, hostname); err != nil {
		return err
	}
	if err := c.checkAddresses(); err != nil {
		return err
	}
	if err := c.Provisioning.complete(c); err != nil {
		return err
	}
	switch {
	case c.RootNamespace == "":
		return errors.New("rootNamespace is empty; name the namespace whose plugins reach every other, such as istio-system")
	case c.DataDir == "":
		return errors.New("dataDir is empty; name a folder for fetched modules")
	case c.ModuleDir != "" && (!filepath.IsAbs(c.ModuleDir) || filepath.Clean(c.ModuleDir) == "/"):
		return fmt.Errorf("moduleDir %q: name a folder by its absolute path, and not /, or tenants could name every file of the controller", c.ModuleDir)
	case c.ModuleDir != "" && contains(c.ModuleDir, c.DataDir):
		return fmt.Errorf("moduleDir %q holds dataDir %q: modules that need a pull secret could be named there without one; use separate folders", c.ModuleDir, c.DataDir)
	case c.WaypointListen != "loopback" && c.WaypointListen != "pod":
		return fmt.Errorf("waypointListen %q: use loopback or pod", c.WaypointListen)
	case c.WaitForModule.Duration <= 0:
		return fmt.Errorf("waitForModule %s: must be more than 0s", c.WaitForModule.Duration)
	case c.StaleAfter.Duration < minStaleAfter:
		return fmt.Errorf("staleAfter %s: must be at least %s: when a leader crashes, its Lease stands still for up to %s", c.StaleAfter.Duration, minStaleAfter, leaseDuration+retryPeriod)
	case c.LeaderElection.Enabled && c.LeaderElection.LeaseName == "":
		return errors.New("leaderElection.leaseName is empty")
	}
	for i, name := range c.HostEnv {
		if !hostEnv.MatchString(name) {
			return fmt.Errorf("hostEnv[%d] %q: name a variable, such as POD_NAME, or a beginning with a *, such as APP_*", i, name)
		}
	}
	for from, to := range c.Mirrors {
		if from == "" || to == "" {
			return fmt.Errorf("mirrors: %q: %q: both must name a host", from, to)
		}
	}
	return c.Proxies.check()
}

func (p Proxies) check() error {
	if p.Authentication != AuthenticationRequired && p.Authentication != AuthenticationNone {
		return fmt.Errorf("proxies.authentication %q: use required or none", p.Authentication)
	}
	return nil
}

// completeNames says who this replica is.
func (c *Config) completeNames(env func(string) string, hostname func() (string, error)) error {
	if c.Namespace == "" {
		if c.Namespace = env("POD_NAMESPACE"); c.Namespace == "" {
			c.Namespace = "wasmpoint-system"
		}
	}
	if c.Replica == "" {
		if c.Replica = env("POD_NAME"); c.Replica == "" {
			host, err := hostname()
			if err != nil {
				return fmt.Errorf("replica: %w; name this replica", err)
			}
			c.Replica = host
		}
	}
	return nil
}

// checkAddresses checks where this replica listens, and where the others do.
func (c *Config) checkAddresses() error {
	for field, address := range map[string]string{
		"xds": c.XDS.Address, "modules": c.Modules.Address, "peers": c.Peers.Address,
		"metrics": c.Metrics.Address, "health": c.Health.Address, "admin": c.Admin.Address,
	} {
		if address == "0" && (field == "metrics" || field == "health" || field == "admin") {
			continue
		}
		if _, _, err := net.SplitHostPort(address); err != nil {
			return fmt.Errorf("%s.address %q: give HOST:PORT or :PORT", field, address)
		}
	}
	for _, p := range c.Peers.Static {
		if _, _, err := net.SplitHostPort(p); err != nil {
			return fmt.Errorf("peers.static %q: give HOST:PORT", p)
		}
	}
	return c.keepPlainTextHere()
}

// keepPlainTextHere keeps what is not served over TLS on loopback: tokens of proxies, and modules of all tenants, are in it.
func (c *Config) keepPlainTextHere() error {
	if c.TLS.Enabled {
		return nil
	}
	if c.Provisioning.Enabled {
		return errors.New("provisioning.enabled is true and tls.enabled false: the proxies' Pods would send their tokens in plain text; set one of them otherwise")
	}
	for _, at := range []struct {
		field   string
		address *string
	}{{"xds", &c.XDS.Address}, {"modules", &c.Modules.Address}, {"peers", &c.Peers.Address}} {
		host, port, err := net.SplitHostPort(*at.address)
		if err != nil {
			return fmt.Errorf("%s.address %q: %w", at.field, *at.address, err)
		}
		if host == "" {
			*at.address = net.JoinHostPort("127.0.0.1", port)
		} else if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return fmt.Errorf("%s.address %q is not a loopback address, and without TLS nothing leaves this machine; set tls.enabled to true, or give 127.0.0.1:%s",
				at.field, *at.address, port)
		}
	}
	return nil
}

// contains tells whether a folder is another one, or holds it.
func contains(folder, other string) bool {
	inside, err := filepath.Rel(folder, other)
	return err == nil && filepath.IsLocal(inside)
}
