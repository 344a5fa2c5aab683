// Package registry is an OCI registry that knows exactly what each request changed.
//
// Blobs and manifests lie on disk by digest; what a repository holds (images, tags) is in memory and is the sum of the changes it
// announced through its one door out, Options.Commit. See docs/ARCHITECTURE.md for why the journal append is the commit.
package registry
