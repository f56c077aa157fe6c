package suite

import (
	"fmt"
	"os"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	confv1 "sigs.k8s.io/gateway-api/conformance/apis/v1"
	"sigs.k8s.io/gateway-api/pkg/features"
	"sigs.k8s.io/yaml"
)

// The kind of our report.
const (
	ReportAPIVersion = "conformance.wasmpoint.dev/v1alpha1"
	ReportKind       = "WasmpointConformanceReport"
)

// Report wraps Gateway API's report, and adds the versions of what ran.
type Report struct {
	metav1.TypeMeta `json:",inline"`
	// WasmpointVersion is the version of the controller, and of the suite.
	WasmpointVersion string `json:"wasmpointVersion"`
	// KubernetesVersion and EnvoyVersion are those of the API server and of the proxies.
	KubernetesVersion string `json:"kubernetesVersion"`
	EnvoyVersion      string `json:"envoyVersion"`
	// Report is Gateway API's.
	Report confv1.ConformanceReport `json:"report"`
}

// Result is how a behaviour ended. The zero value is one that was not run.
type Result int

// The results.
const (
	NotRun Result = iota
	Passed
	Failed
)

// About is what a report says about the run as such.
type About struct {
	WasmpointVersion, KubernetesVersion, EnvoyVersion string
	GatewayAPIVersion, GatewayAPIChannel, Mode        string
	Contact                                           string
	Date                                              time.Time
}

// NewReport counts results. What is not supported is not counted; what is supported and was not run is skipped.
func NewReport(about About, supported []features.FeatureName, all []Test, results map[string]Result) (Report, error) {
	r := Report{
		TypeMeta:         metav1.TypeMeta{APIVersion: ReportAPIVersion, Kind: ReportKind},
		WasmpointVersion: about.WasmpointVersion, KubernetesVersion: about.KubernetesVersion, EnvoyVersion: about.EnvoyVersion,
		Report: confv1.ConformanceReport{
			TypeMeta: metav1.TypeMeta{APIVersion: "gateway.networking.k8s.io/v1", Kind: "ConformanceReport"},
			Implementation: confv1.Implementation{
				Organization: "wasmpoint", Project: "wasmpoint", URL: "https://github.com/wasmpoint/wasmpoint",
				Version: about.WasmpointVersion, Contact: []string{about.Contact},
			},
			Date: about.Date.UTC().Format(time.RFC3339), GatewayAPIVersion: about.GatewayAPIVersion,
			GatewayAPIChannel: about.GatewayAPIChannel, Mode: about.Mode,
		},
	}
	if err := r.Report.Validate(); err != nil {
		return Report{}, err
	}
	for _, p := range Profiles {
		r.Report.ProfileReports = append(r.Report.ProfileReports, profileReport(p, supported, all, results))
	}
	return r, nil
}

func profileReport(p Profile, supported []features.FeatureName, all []Test, results map[string]Result) confv1.ProfileReport {
	extended := &confv1.ExtendedStatus{}
	out := confv1.ProfileReport{Name: p.Name, Extended: extended}
	for _, f := range p.Extended {
		if slices.Contains(supported, f) {
			extended.SupportedFeatures = append(extended.SupportedFeatures, string(f))
		} else {
			extended.UnsupportedFeatures = append(extended.UnsupportedFeatures, string(f))
		}
	}
	slices.Sort(extended.SupportedFeatures)
	slices.Sort(extended.UnsupportedFeatures)
	for _, t := range all {
		if !p.Has(t) {
			continue
		}
		level := &out.Core
		if p.isExtended(t) {
			if level = &extended.Status; !t.supportedBy(supported) {
				continue
			}
		}
		switch results[t.ShortName] {
		case Passed:
			level.Passed++
		case Failed:
			level.Failed++
			level.FailedTests = append(level.FailedTests, t.ShortName)
		case NotRun:
			level.Skipped++
			level.SkippedTests = append(level.SkippedTests, t.ShortName)
		}
	}
	judge(&out.Core)
	judge(&extended.Status)
	out.Summary = fmt.Sprintf("Core tests %s. Extended tests %s.", words(out.Core), words(extended.Status))
	return out
}

// supportedBy tells whether all that a test needs is there. A core feature that is not supported leaves its tests not run.
func (t Test) supportedBy(supported []features.FeatureName) bool {
	return !slices.ContainsFunc(t.Features, func(f features.FeatureName) bool { return !slices.Contains(supported, f) })
}

func judge(s *confv1.Status) {
	slices.Sort(s.FailedTests)
	slices.Sort(s.SkippedTests)
	switch {
	case s.Failed > 0:
		s.Result = confv1.Failure
	case s.Skipped > 0:
		s.Result = confv1.Partial
	default:
		s.Result = confv1.Success
	}
}

func words(s confv1.Status) string {
	switch s.Result {
	case confv1.Failure:
		return fmt.Sprintf("failed with %d test failures", s.Failed)
	case confv1.Partial:
		return fmt.Sprintf("partially succeeded with %d test skips", s.Skipped)
	}
	return "succeeded"
}

// Write writes the report as YAML.
func (r Report) Write(path string) error {
	raw, err := yaml.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
