package node

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/wasmpoint/wasmpoint/conformance/node/sandbox"
)

// prober sends the requests of probes and hooks. Certificates are not verified, as kubelet does not.
var prober = &http.Client{
	Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// hook runs a lifecycle hook.
func (c *container) hook(ctx context.Context, h *corev1.LifecycleHandler, process *sandbox.Process) error {
	switch {
	case h.Sleep != nil:
		select {
		case <-time.After(time.Duration(h.Sleep.Seconds) * time.Second):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	case h.HTTPGet != nil:
		return c.get(ctx, h.HTTPGet)
	case h.Exec != nil:
		return execute(ctx, process, h.Exec)
	}
	return errors.New("this kind of hook has no stand-in: use exec, httpGet or sleep")
}

// check runs a probe once.
func (c *container) check(ctx context.Context, h corev1.ProbeHandler, process *sandbox.Process) error {
	switch {
	case h.HTTPGet != nil:
		return c.get(ctx, h.HTTPGet)
	case h.TCPSocket != nil:
		address, err := c.address(h.TCPSocket.Host, h.TCPSocket.Port)
		if err != nil {
			return err
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	case h.Exec != nil:
		return execute(ctx, process, h.Exec)
	case h.GRPC != nil:
		return c.grpc(ctx, h.GRPC)
	}
	return errors.New("the probe asks for nothing")
}

func execute(ctx context.Context, process *sandbox.Process, a *corev1.ExecAction) error {
	output, err := process.Run(ctx, a.Command)
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(a.Command, " "), err, strings.TrimSpace(output))
	}
	return nil
}

// get is right for every status from 200 to 399.
func (c *container) get(ctx context.Context, a *corev1.HTTPGetAction) error {
	address, err := c.address(a.Host, a.Port)
	if err != nil {
		return err
	}
	url := strings.ToLower(cmp.Or(string(a.Scheme), "http")) + "://" + address + "/" + strings.TrimPrefix(a.Path, "/")
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", "kube-probe/1.36")
	for _, h := range a.HTTPHeaders {
		if strings.EqualFold(h.Name, "Host") {
			request.Host = h.Value
			continue
		}
		request.Header.Set(h.Name, h.Value)
	}
	response, err := prober.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode < 200 || response.StatusCode > 399 {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 200)) // what it says helps, if it says anything
		return fmt.Errorf("HTTP probe failed with statuscode: %d: %s", response.StatusCode, strings.TrimSpace(string(body)))
	}
	return nil
}

func (c *container) grpc(ctx context.Context, a *corev1.GRPCAction) error {
	conn, err := grpc.NewClient(net.JoinHostPort(c.pod.ip.String(), strconv.Itoa(int(a.Port))), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	question := &healthv1.HealthCheckRequest{}
	if a.Service != nil {
		question.Service = *a.Service
	}
	answer, err := healthv1.NewHealthClient(conn).Check(ctx, question)
	if err == nil && answer.Status != healthv1.HealthCheckResponse_SERVING {
		err = fmt.Errorf("the server says %s", answer.Status)
	}
	return err
}

// address is HOST:PORT of a port, which may be one of the container's by name. The host is the Pod unless given.
func (c *container) address(host string, port intstr.IntOrString) (string, error) {
	number := port.IntValue()
	if port.Type == intstr.String {
		for _, p := range c.spec.Ports {
			if p.Name == port.StrVal {
				number = int(p.ContainerPort)
			}
		}
	}
	if number == 0 {
		return "", fmt.Errorf("port %q: the container has no port of that name", port.String())
	}
	return net.JoinHostPort(cmp.Or(host, c.pod.ip.String()), strconv.Itoa(number)), nil
}
