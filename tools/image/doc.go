// Command image builds the container image without a container engine and without a base image: one static binary,
// the roots of the web's certificates and a folder to write to, for linux/amd64 and linux/arm64.
//
// It writes an OCI image layout (OCI image specification 1.1) in which each platform's manifest has an SBOM in SPDX 2.3 as
// a referrer, and pushes both to a registry if told to. Same sources and same Go in, same bytes out: file times are those
// of the commit, and the binary holds no path and no build id.
package main
