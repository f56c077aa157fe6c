package bootstrap

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"

	"github.com/wasmpoint/wasmpoint/controllers/model"
)

// plain is a message as JSON data, with the field names of Envoy's documentation.
func plain(m proto.Message) (any, error) {
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	var out any
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	return out, nil
}

func plainList[M proto.Message](list []M) ([]any, error) {
	out := make([]any, 0, len(list))
	for _, m := range list {
		p, err := plain(m)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// printer writes YAML with comments in between.
type printer struct {
	out bytes.Buffer
	err error
}

func (p *printer) comment(format string, args ...any) {
	for line := range strings.SplitSeq(fmt.Sprintf(format, args...), "\n") {
		p.out.WriteString(strings.TrimRight("# "+line, " ") + "\n")
	}
}

func (p *printer) yaml(value any, err error) {
	if p.err != nil {
		return
	}
	var text []byte
	if p.err = err; err == nil {
		text, p.err = yaml.Marshal(value)
	}
	p.out.Write(text)
}

// place is a scope for people: inbound 8080.
func place(s model.Scope) string {
	if s.Side == "" {
		return fmt.Sprintf("Gateway %s, port %d", s.Gateway, s.Port)
	}
	return fmt.Sprintf("%s %d", s.Side, s.Port)
}

// Slots of a printed document.
type printedSlots struct {
	Place   string `json:"place"`
	HTTP    []any  `json:"http_filters,omitempty"`
	Network []any  `json:"filters,omitempty"`
}

// YAML prints the pieces for a bootstrap that is written by hand, as one document, with comments that say what goes where.
func (x External) YAML() ([]byte, error) {
	p, err := x.Pieces()
	if err != nil {
		return nil, err
	}
	w := &printer{}
	w.comment("Pieces for the bootstrap of an Envoy (1.39 or later) that somebody else programs.\nThe node's id must be the name of its Pod.")
	w.comment("\nstatic_resources.clusters gets these two:")
	clusters, err := plainList(p.Clusters)
	w.yaml(map[string]any{"clusters": clusters}, err)
	w.comment("\nstatic_resources.listeners gets this one; it takes no traffic, and brings modules into the proxy before they run:")
	listener, err := plain(p.Prefetch)
	w.yaml(map[string]any{"listeners": []any{listener}}, err)
	if p.ADS != nil {
		w.comment("\ndynamic_resources.ads_config, on which all slots come:")
		ads, err := plain(p.ADS)
		w.yaml(map[string]any{"ads_config": ads}, err)
	}
	w.comment("\nThe filters of each listener: http_filters go into its HTTP connection manager, before envoy.filters.http.router; filters go\nbefore the connection manager or tcp_proxy of its filter chain. Keep the order. %s", x.away())
	var slots []printedSlots
	for _, s := range p.Slots {
		one := printedSlots{Place: place(s.Scope)}
		if one.HTTP, err = plainList(s.HTTP); err == nil {
			one.Network, err = plainList(s.Network)
		}
		if err != nil {
			return nil, err
		}
		slots = append(slots, one)
	}
	w.yaml(map[string]any{"slots": slots}, nil)
	return w.out.Bytes(), w.err
}

// away says what happens without a controller.
func (x External) away() string {
	if x.Open {
		return "While the controller was never\nreached, requests pass without plugins (open)."
	}
	return "While the controller was never\nreached, the listener does not open (closed)."
}
