package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wasmpoint/wasmpoint/conformance/fakeproxy"
	"github.com/wasmpoint/wasmpoint/conformance/testbed"
	"github.com/wasmpoint/wasmpoint/controllers/model"
	"github.com/wasmpoint/wasmpoint/controllers/pki"
	"github.com/wasmpoint/wasmpoint/xds/names"
)

// floorAddress is where the floor listens; it has no flags.
const floorAddress = "127.0.0.1:16010"

// startLimit is how long a control plane may take to serve.
const startLimit = 2 * time.Minute

// plane is a control plane in a process of its own, so its CPU and memory are its own.
type plane struct {
	w       *world
	name    string
	plugin  string // the one whose changes its proxies get
	cmd     *exec.Cmd
	ended   chan struct{}
	log     string
	start   time.Duration // until it was ready
	admin   string
	command func() *exec.Cmd
	ready   func() bool
	addr    string
	modules string
	dial    []grpc.DialOption
}

// product is `wasmpoint controller` with its shipped rights.
func (w *world) product(binary string, secure bool) *plane {
	dir := w.h.TempDir()
	address := func() string { return testbed.Address(testbed.FreePort(w.h)) }
	xds, modules, health, admin := address(), address(), address(), address()
	flags := []string{
		"controller", "--kubeconfig=" + w.KubeconfigFor(own, "wasmpoint"), "--namespace=" + own, "--replica=bench", "--data-dir=" + dir,
		"--xds-addr=" + xds, "--modules-addr=" + modules, "--peers-addr=" + address(), "--health-addr=" + health,
		"--admin-addr=" + admin, "--metrics-addr=0", "--leader-elect=true", "--tls=" + strconv.FormatBool(secure),
		"--provisioning=" + strconv.FormatBool(secure), // the proxies here are the benchmark's, but so the controller is shipped
		"--proxy-authentication=none",                  // what it costs has a benchmark of its own (controllers/identity)
	}
	p := &plane{w: w, name: "wasmpoint", plugin: "ours", addr: xds, modules: modules, admin: admin, log: filepath.Join(dir, "log")}
	p.command = func() *exec.Cmd { return exec.Command(binary, flags...) }
	p.ready = func() bool {
		response, err := http.Get("http://" + health + "/readyz")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	}
	p.run()
	if secure {
		p.name += " TLS"
		var m corev1.ConfigMap
		w.h.check(w.Client().Get(w.h.Context(), client.ObjectKey{Namespace: own, Name: pki.ConfigMapName}, &m))
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM([]byte(m.Data["ca.crt"]))
		p.dial = []grpc.DialOption{grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
			RootCAs: pool, ServerName: pki.ServerName(own), MinVersion: tls.VersionTLS13,
		}))}
	}
	return p
}

// floor is the least that a control plane can be (conformance/bench/floor).
func (w *world) floor(binary string) *plane {
	p := &plane{w: w, name: "floor", plugin: "floor", addr: floorAddress, log: filepath.Join(w.h.TempDir(), "log")}
	kubeconfig := w.Kubeconfig()
	p.command = func() *exec.Cmd {
		c := exec.Command(binary)
		c.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
		return c
	}
	p.ready = func() bool {
		text, err := os.ReadFile(p.log)
		return err == nil && strings.Contains(string(text), "ready")
	}
	p.run()
	return p
}

// run starts the process and waits until it serves.
func (p *plane) run() {
	h := p.w.h
	out, err := os.Create(p.log)
	h.check(err)
	defer out.Close()
	p.cmd = p.command()
	p.cmd.Stdout, p.cmd.Stderr = out, out
	begin := time.Now()
	h.check(p.cmd.Start())
	p.ended = make(chan struct{})
	go func() {
		_ = p.cmd.Wait() // its log says how it ended
		close(p.ended)
	}()
	h.Cleanup(p.stop)
	testbed.Eventually(h, startLimit, p.name+" is ready", func() (bool, string) {
		select {
		case <-p.ended:
			h.Fatalf("%s ended:\n%s", p.name, p.logEnd())
		default:
		}
		return p.ready(), p.logEnd()
	})
	p.start = time.Since(begin)
}

func (p *plane) logEnd() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}

// stop ends the process as a kubelet does, and waits.
func (p *plane) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails when it has ended
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// proxy is how a proxy of a Gateway asks for the slots of its listener at port 80: as our bootstrap has it, with the prefetch
// lane; at the floor for one plugin, and nothing else.
func (p *plane) proxy(id, gateway string) fakeproxy.Config {
	gw := types.NamespacedName{Namespace: namespace, Name: gateway}
	c := fakeproxy.Config{ID: id, Addr: p.addr, Gateway: gw, Dial: p.dial}
	if p.addr == floorAddress {
		c.Slots = []string{namespace + "." + p.plugin}
		return c
	}
	c.Lane, c.Types = true, []string{
		"type.googleapis.com/envoy.config.listener.v3.Listener", "type.googleapis.com/envoy.config.cluster.v3.Cluster",
	}
	for _, phase := range model.Phases {
		c.Slots = append(c.Slots, names.Slot(model.Scope{Gateway: gw, Port: 80}, phase))
	}
	return c
}

// usage is resident memory in KiB, and CPU time in ticks of 10 ms.
type usage struct {
	rss int64
	cpu time.Duration
}

// usage reads /proc (proc_pid_stat(5), proc_pid_status(5)).
func (p *plane) usage() usage { return usageOf(p.w.h, p.cmd.Process.Pid) }

func usageOf(h *host, pid int) usage {
	dir := fmt.Sprintf("/proc/%d/", pid)
	stat, err := os.ReadFile(dir + "stat")
	h.check(err)
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:])) // from the third field on
	var u usage
	for _, f := range fields[11:13] { // utime, stime
		n, err := strconv.ParseInt(f, 10, 64)
		h.check(err)
		u.cpu += time.Duration(n) * 10 * time.Millisecond
	}
	status, err := os.ReadFile(dir + "status")
	h.check(err)
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	u.rss, err = strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	h.check(err)
	return u
}

// quiet waits until the process has little to do: less than a tick in half a second, or until the limit.
func (p *plane) quiet(limit time.Duration) {
	calm := 0
	for end := time.Now().Add(limit); calm < 4 && time.Now().Before(end); {
		before := p.usage().cpu
		time.Sleep(500 * time.Millisecond)
		if calm++; p.usage().cpu-before > 10*time.Millisecond {
			calm = 0
		}
	}
}

// profile saves a profile of the product.
func (p *plane) profile(dir, kind, name string) {
	if dir == "" || p.admin == "" {
		return
	}
	response, err := http.Get("http://" + p.admin + "/debug/pprof/" + kind)
	p.w.h.check(err)
	defer response.Body.Close()
	f, err := os.Create(filepath.Join(dir, name+".pprof"))
	p.w.h.check(err)
	defer f.Close()
	_, err = io.Copy(f, response.Body)
	p.w.h.check(err)
}

// profiled does f, once more than is measured, with a CPU profile of the product for some seconds of it.
func (p *plane) profiled(dir, name string, f func()) {
	if dir == "" || p.admin == "" {
		return
	}
	done := make(chan error, 1)
	go func() {
		url := "http://" + p.admin + "/debug/pprof/profile?seconds=5"
		response, err := http.Get(url)
		for end := time.Now().Add(startLimit); err != nil && time.Now().Before(end); response, err = http.Get(url) {
			time.Sleep(5 * time.Millisecond) // it is starting
		}
		if err != nil {
			done <- err
			return
		}
		defer response.Body.Close()
		raw, err := io.ReadAll(response.Body)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name+".pprof"), raw, 0o600)
		}
		done <- err
	}()
	f()
	p.w.h.check(<-done)
}
