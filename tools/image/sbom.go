package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"fmt"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// noAssertion is what SPDX wants where nothing is known.
const noAssertion = "NOASSERTION"

var notInAnID = regexp.MustCompile(`[^A-Za-z0-9.]+`)

// sbom lists, in SPDX 2.3, what the binary was linked from, as the binary itself says, and the certificate roots.
func sbom(o options, arch string, binary []byte) ([]byte, error) {
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		return nil, fmt.Errorf("the binary for linux/%s does not say what it was built from: %w", arch, err)
	}
	rootsAt, err := rootsVersion()
	if err != nil {
		return nil, err
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(binary))
	us := pack(info.Main.Path, o.version)
	us.PackageLicenseDeclared = "Apache-2.0"
	us.PackageSourceInfo = "commit " + o.revision
	us.PackageFileName = "/wasmpoint"
	us.PrimaryPackagePurpose = "APPLICATION"
	us.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: sum}}
	doc := &spdx.Document{
		SPDXVersion:       spdx.Version,
		DataLicense:       spdx.DataLicense,
		SPDXIdentifier:    "DOCUMENT",
		DocumentName:      "wasmpoint " + o.version + " linux/" + arch,
		DocumentNamespace: source + "/sbom/" + sum,
		CreationInfo: &spdx.CreationInfo{
			Creators: []common.Creator{{CreatorType: "Tool", Creator: "wasmpoint-tools-image"}},
			Created:  o.date.Format(time.RFC3339),
		},
		Packages:      []*spdx.Package{us},
		Relationships: []*spdx.Relationship{relate("DOCUMENT", common.TypeRelationshipDescribe, us.PackageSPDXIdentifier)},
	}
	add := func(p *spdx.Package, relation string) {
		doc.Packages = append(doc.Packages, p)
		doc.Relationships = append(doc.Relationships, relate(us.PackageSPDXIdentifier, relation, p.PackageSPDXIdentifier))
	}
	// Dependency-Track and others know the standard library by this name.
	add(pack("stdlib", strings.TrimPrefix(info.GoVersion, "go")), common.TypeRelationshipDependsOn)
	for _, m := range info.Deps {
		add(dependency(m), common.TypeRelationshipDependsOn)
	}
	certificates := pack(rootsModule, rootsAt)
	certificates.PackageFileName = "/etc/ssl/certs/ca-certificates.crt"
	doc.Packages = append(doc.Packages, certificates)
	doc.Relationships = append(doc.Relationships, relate("DOCUMENT", common.TypeRelationshipDescribe, certificates.PackageSPDXIdentifier))

	var b bytes.Buffer
	if err := spdxjson.Write(doc, &b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// dependency takes the module that stands in for m, if there is one.
func dependency(m *debug.Module) *spdx.Package {
	if m.Replace != nil {
		m = m.Replace
	}
	p := pack(m.Path, m.Version)
	p.PackageSourceInfo = "go.sum " + m.Sum
	return p
}

func pack(path, version string) *spdx.Package {
	return &spdx.Package{
		PackageName:               path,
		PackageVersion:            version,
		PackageSPDXIdentifier:     common.ElementID("Package-" + notInAnID.ReplaceAllString(path, "-")),
		PackageDownloadLocation:   noAssertion,
		PackageLicenseConcluded:   noAssertion,
		PackageLicenseDeclared:    noAssertion,
		PackageCopyrightText:      noAssertion,
		IsFilesAnalyzedTagPresent: true,
		PackageExternalReferences: []*spdx.PackageExternalReference{{
			Category: "PACKAGE-MANAGER", RefType: "purl", Locator: "pkg:golang/" + path + "@" + version,
		}},
	}
}

func relate(from common.ElementID, relation string, to common.ElementID) *spdx.Relationship {
	return &spdx.Relationship{
		RefA:         common.DocElementID{ElementRefID: from},
		RefB:         common.DocElementID{ElementRefID: to},
		Relationship: relation,
	}
}
