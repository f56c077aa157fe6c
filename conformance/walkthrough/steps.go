package walkthrough

// The credentials of the founding documents.
const (
	admin3   = "Basic YWRtaW4zOmFkbWluMw=="
	t1in3    = "Basic MXQtaW4zOmFkbWluMw=="
	okTest   = "Basic b2s6dGVzdA=="
	noBody   = ""
	steps    = "bookinfo-steps/"
	reviews1 = "/reviews/1"
	page     = "/productpage"
)

// at is who is asked.
type at string

const (
	gateway     at = "gateway"
	productpage at = "productpage:9080"
	reviews     at = "reviews:9080"
)

// Step is a change of the folder and the requests after it.
type Step struct {
	// Name is what a person would say or type.
	Name string
	// Add are files of the samples, with the name that they get in the folder; Remove are names in the folder.
	Add    [][2]string
	Remove []string
	// Requests have to be answered as said, in this order.
	Requests []Request
}

// Request is one row of the table.
type Request struct {
	At   at
	Path string
	// Authorization is the header's value, "" for none.
	Authorization string
	Want          int
}

// Steps is the whole table: section 2 of the founding documents, then section 1.
var Steps = []Step{
	{
		Name:     "the gateway, no plugin",
		Requests: []Request{{gateway, page, noBody, 200}},
	},
	{
		Name: "apply basic-auth-at-gateway (Gateway bookinfo-gateway)",
		Add:  [][2]string{{steps + "1-basic-auth-at-gateway.yaml", "basic-auth-at-gateway.yaml"}},
		Requests: []Request{
			{gateway, page, noBody, 401},
			{gateway, page, admin3, 200},
		},
	},
	{
		Name:     "deploy the namespace waypoint, no plugin on it",
		Add:      [][2]string{{steps + "2-waypoint.yaml", "waypoint.yaml"}},
		Requests: []Request{{productpage, page, noBody, 200}},
	},
	{
		Name: "apply basic-auth-at-waypoint (Gateway waypoint)",
		Add:  [][2]string{{steps + "3-basic-auth-at-waypoint.yaml", "basic-auth-at-waypoint.yaml"}},
		Requests: []Request{
			{productpage, page, noBody, 401},
			{productpage, page, admin3, 200},
		},
	},
	{
		Name: "waypoint for reviews; apply basic-auth-for-service (Service reviews)",
		Add: [][2]string{
			{steps + "4-reviews-svc-waypoint.yaml", "reviews-svc-waypoint.yaml"},
			{steps + "4-reviews-service.yaml", "reviews-service.yaml"},
			{steps + "5-basic-auth-for-service.yaml", "basic-auth-for-service.yaml"},
		},
		Requests: []Request{
			{reviews, reviews1, noBody, 401},
			{reviews, reviews1, t1in3, 200},
			{productpage, page, admin3, 200},
		},
	},
	{
		Name:   "delete the three plugins",
		Remove: []string{"basic-auth-at-gateway.yaml", "basic-auth-at-waypoint.yaml", "basic-auth-for-service.yaml"},
		Requests: []Request{
			{gateway, page, noBody, 200},
			{productpage, page, noBody, 200},
			{reviews, reviews1, noBody, 200},
		},
	},
	{
		Name: "apply basic-auth in the root namespace (selector istio=ingressgateway)",
		Add:  [][2]string{{steps + "mesh-wide/basic-auth.yaml", "basic-auth.yaml"}},
		Requests: []Request{
			{gateway, page, noBody, 401},
			{gateway, page, okTest, 200},
			{gateway, page, admin3, 200},
			{productpage, page, noBody, 200},
		},
	},
	{
		Name:     "delete it",
		Remove:   []string{"basic-auth.yaml"},
		Requests: []Request{{gateway, page, noBody, 200}},
	},
}
