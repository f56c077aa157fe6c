package suite

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	confv1 "sigs.k8s.io/gateway-api/conformance/apis/v1"
	"sigs.k8s.io/gateway-api/pkg/features"
	"sigs.k8s.io/yaml"
)

var about = About{
	WasmpointVersion: "v1.2.3", KubernetesVersion: "v1.36.3", EnvoyVersion: "1.40.0", GatewayAPIVersion: "v1.6.3",
	GatewayAPIChannel: "standard", Mode: "default", Contact: "someone", Date: time.Unix(1700000000, 0),
}

func ofGateway(name string, more ...features.FeatureName) Test {
	return Test{ShortName: name, Features: append([]features.FeatureName{AttachToGateway}, more...)}
}

func TestABehaviourIsCoreExtendedOrOfNoConcernToAProfile(t *testing.T) {
	all := []Test{
		ofGateway("Core"), ofGateway("Extended", Lua), {ShortName: "Waypoint", Features: []features.FeatureName{AttachToWaypoint}},
		{ShortName: "Both", Features: []features.FeatureName{StatusAncestors}},
	}
	results := map[string]Result{"Core": Passed, "Extended": Failed, "Waypoint": Passed, "Both": Passed}
	r, err := NewReport(about, AllFeatures(), all, results)
	if err != nil {
		t.Fatal(err)
	}
	gateway, waypoint := r.Report.ProfileReports[0], r.Report.ProfileReports[1]
	if gateway.Core.Result != confv1.Success || gateway.Core.Passed != 2 || gateway.Core.Failed != 0 {
		t.Errorf("core of gateways: %+v", gateway.Core)
	}
	if e := gateway.Extended; e.Result != confv1.Failure || e.Failed != 1 || !slices.Equal(e.FailedTests, []string{"Extended"}) {
		t.Errorf("extended of gateways: %+v", e)
	}
	if got, want := gateway.Summary, "Core tests succeeded. Extended tests failed with 1 test failures."; got != want {
		t.Errorf("the summary is %q, want %q", got, want)
	}
	if waypoint.Core.Passed != 2 || waypoint.Extended.Passed+waypoint.Extended.Failed != 0 {
		t.Errorf("waypoints: %+v, %+v", waypoint.Core, waypoint.Extended)
	}
}

func TestWhatIsNotSupportedIsNamedAndNotCounted(t *testing.T) {
	all := []Test{ofGateway("Core"), ofGateway("Extended", Lua), ofGateway("Other", FailOpen)}
	r, err := NewReport(about, []features.FeatureName{AttachToGateway, FailOpen}, all, map[string]Result{"Core": Passed})
	if err != nil {
		t.Fatal(err)
	}
	e := r.Report.ProfileReports[0].Extended
	if !slices.Equal(e.SupportedFeatures, []string{"fail-open"}) || !slices.Contains(e.UnsupportedFeatures, "lua") {
		t.Errorf("features: %v and %v", e.SupportedFeatures, e.UnsupportedFeatures)
	}
	if e.Result != confv1.Partial || e.Skipped != 1 || !slices.Equal(e.SkippedTests, []string{"Other"}) {
		t.Errorf("a supported test that was not run is skipped: %+v", e.Status)
	}
}

func TestACoreFeatureCannotBeLeftOutSilently(t *testing.T) {
	r, err := NewReport(about, nil, []Test{ofGateway("Core")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if core := r.Report.ProfileReports[0].Core; core.Result != confv1.Partial || core.Skipped != 1 {
		t.Errorf("%+v", core)
	}
}

func TestAReportNeedsToSayWhoseItIs(t *testing.T) {
	nobody := about
	nobody.WasmpointVersion = ""
	if _, err := NewReport(nobody, nil, nil, nil); err == nil || !strings.Contains(err.Error(), "version") {
		t.Errorf("%v", err)
	}
}

func TestTheFileReadsAsOurKindWithGatewayAPIsReportInside(t *testing.T) {
	r, err := NewReport(about, AllFeatures(), []Test{ofGateway("Core")}, map[string]Result{"Core": Passed})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "report.yaml")
	if err := r.Write(path); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var back struct {
		Kind   string
		Report struct {
			Kind, Date, GatewayAPIVersion, GatewayAPIChannel, Mode string
			Implementation                                         confv1.Implementation
			Profiles                                               []confv1.ProfileReport
		}
	}
	if err := yaml.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	in := back.Report
	if back.Kind != ReportKind || in.Kind != "ConformanceReport" || in.Date != "2023-11-14T22:13:20Z" || in.GatewayAPIVersion != "v1.6.3" ||
		in.GatewayAPIChannel != "standard" || in.Mode != "default" || in.Implementation.Version != "v1.2.3" || len(in.Profiles) != len(Profiles) {
		t.Errorf("%s", raw)
	}
}
