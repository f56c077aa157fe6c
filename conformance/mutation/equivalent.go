package main

// equivalent are forced conditions that no world can notice, with the reason.
var equivalent = map[string]string{
	// A loaded world always has what these guard against.
	"read: namespace != nil -> true":                          "the loader makes a Namespace for every namespace that is used",
	"namespaceLabels: namespace != nil -> true":               "the loader makes a Namespace for every namespace that is used",
	"resolve: gateway == nil -> false":                        "places come from Gateways that are there",
	"admits: err == nil -> true":                              "the loader refuses a selector that cannot be read",
	"tidyPorts: a.Number == b.Number -> false":                "the loader refuses a port that stands twice",
	`ServicePortProtocol: port.Protocol != "" -> true`:        "the loader fills in TCP",
	`target: target.Namespace != "" -> false`:                 "a reference is always converted to the plugin's own namespace",
	"target: target.Namespace != j.plugin.Namespace -> false": "a reference is always converted to the plugin's own namespace",

	// Asking once more gives the same answer.
	"read: in.label.Set -> true":                                     "without a label the name is empty, and no Gateway has that name",
	"read: !in.label.None -> true":                                   "with none the name is empty, and no Gateway has that name",
	"byService: place.Service.IsZero() -> false":                     "no plugin targets a Service without a name",
	"bySelector: gateway.Namespace != r.Root() -> true":              "plugins that come twice are made one",
	"bySelector: len(plugins) == 0 -> false":                         "a shortcut",
	"fromNamespace: !slices.ContainsFunc(plugins, outside) -> false": "a shortcut",
	"untargeted: len(j.plugin.Selector) == 0 -> false":               "an empty selector selects everything",
	"gateway: !ok -> true":                                           "a cache",
	"serviceAt: !ok -> true":                                         "a cache",
	"resolved: !ok -> true":                                          "a cache",
	"foundNoSlot: p.Type == model.TypeNetwork -> true":               "only NETWORK plugins are among those that found no slot",
	"stopped: len(t.ports) <= portsInMessages -> true":               "the message is cut to that length anyway",
	"MeshListener: bound -> true (number 2)":                         "without a binding the protocol is empty",
	"MeshListener: bound -> true":                                    "without a binding the port is 0",
	"MeshListener: inbound.Port != 0 -> true":                        "no listener has port 0",

	"sum: scopes > 0 -> true":    "only about memory",
	"sum: scopes > 0 -> false":   "only about memory",
	"sum: t.failed >= 0 -> true": "a tally that nothing stopped has no ports to add",

	// The words of protocols: all that are not HTTP are alike for the rules.
	`words: "grpc-web" -> left out`:                           "the prefix grpc-web is looked at too",
	`words: "https" -> left out`:                              "HTTPS has network slots like TCP",
	`words: "tls" -> left out`:                                "TLS has network slots like TCP",
	`words: "tcp" -> left out`:                                "what is unknown is TCP",
	`words: "mongo" -> left out`:                              "what is unknown is TCP",
	`words: "mysql" -> left out`:                              "what is unknown is TCP",
	`words: "redis" -> left out`:                              "what is unknown is TCP",
	`words: "kubernetes.io/wss" -> left out`:                  "HTTPS has network slots like TCP",
	"parseWord: ok -> false":                                  "a word without a hyphen is its own prefix, and grpc-web has a rule of its own",
	"parseWord: ok -> true (number 2)":                        "the protocol of an unknown word is empty, which has network slots like TCP",
	`parseWord: strings.HasPrefix(word, "grpc-web") -> false`: "its prefix is grpc, which is HTTP too",
	"IsHTTP2: p == ProtocolHTTP2 -> true":                     "about backends, not about attachment",
	"IsHTTP2: p == ProtocolHTTP2 -> false":                    "about backends, not about attachment",
	"IsHTTP2: p == ProtocolGRPC -> true":                      "about backends, not about attachment",
	"IsHTTP2: p == ProtocolGRPC -> false":                     "about backends, not about attachment",

	// What explain does not show, or sorts itself.
	"Class: ok -> false":        "explain has no class aliases",
	"Full: g.Waypoint -> true":  "explain does not list the Services of a waypoint by themselves",
	"Full: g.Waypoint -> false": "explain does not list the Services of a waypoint by themselves",
	"CompareScopes: cmp.Compare(a.Gateway.Namespace, b.Gateway.Namespace) -> left out": "explain sorts scopes itself",
	"CompareScopes: cmp.Compare(a.Gateway.Name, b.Gateway.Name) -> left out":           "explain sorts scopes itself",
	"CompareScopes: compareServices(a.Service, b.Service) -> left out":                 "explain sorts scopes itself",
	"CompareScopes: cmp.Compare(a.Port, b.Port) -> left out":                           "explain sorts scopes itself",
}
