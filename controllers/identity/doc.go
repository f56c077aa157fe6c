// Package identity tells whose proxy a stream is, and takes nobody's word for it.
//
// In a cluster a proxy shows the token of its ServiceAccount, which the kubelet bound to its Pod: the API server says whether
// the token is good (TokenReview), and the Pod's label says whose proxy it is. A stream ends with its Pod, although the token
// stays good some seconds longer. Outside of a cluster a proxy shows a certificate of the controller's CA that names its
// Gateway (package pki).
//
// Codes of refusals: Unauthenticated, it is not known who that is; PermissionDenied, it is known, and it says to be somebody
// else; Unavailable, nobody could be asked.
package identity

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// What a TokenReview says of the Pod that a token is bound to (k8s.io/apiserver/pkg/authentication/serviceaccount).
const (
	extraPodName = "authentication.kubernetes.io/pod-name"
	extraPodUID  = "authentication.kubernetes.io/pod-uid"
)

const (
	// knownFor is how long a good token is known without asking again. Its Pod is looked at for each stream.
	knownFor = 2 * time.Minute
	// refusedFor is the same for a bad one, of a proxy that tries again and again.
	refusedFor = 10 * time.Second
	// maxKnown and maxRefused bound how many are known. They are apart: bad ones are free, and must not drive out good ones.
	maxKnown, maxRefused = 20000, 1000
	// maxReviews is how many questions may be under way at the API server, and maxOfPeer how many of those from one address.
	maxReviews, maxOfPeer = 64, 16
	// reviewTimeout is how long an answer may take, with the wait for one's turn.
	reviewTimeout = 10 * time.Second
	// maxToken is longer than any token of a ServiceAccount.
	maxToken = 16 << 10
)

// pod is the Pod that a token is bound to.
type pod struct {
	types.NamespacedName
	uid types.UID
}

// Reasons of refusals, for counting.
const (
	ReasonNoCredentials = "NoCredentials"
	ReasonBadToken      = "BadToken"
	ReasonBadCert       = "BadCertificate"
	ReasonNoPod         = "NoPod"
	ReasonOtherGateway  = "OtherGateway"
	ReasonOtherNode     = "OtherNode"
	ReasonUnreachable   = "APIServerUnreachable"
)
