package registry

import (
	"encoding/json"
	"mime"
	"net/http"
	"strings"
)

// Media types whose form is known. Any other manifest is taken as it is.
const (
	typeOCIManifest    = "application/vnd.oci.image.manifest.v1+json"
	typeOCIIndex       = "application/vnd.oci.image.index.v1+json"
	typeDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	typeDockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	typeOctets         = "application/octet-stream"
)

// descriptor is what a manifest says of content that it names.
type descriptor struct {
	MediaType string   `json:"mediaType"`
	Digest    string   `json:"digest"`
	URLs      []string `json:"urls"`
}

// document is a manifest or an index as it is written. Fields that a registry has no business with are not read.
type document struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        *descriptor       `json:"config"`
	Layers        []descriptor      `json:"layers"`
	Blobs         []descriptor      `json:"blobs"` // of the withdrawn artifact manifest
	Manifests     []descriptor      `json:"manifests"`
	Subject       *descriptor       `json:"subject"`
	Annotations   map[string]string `json:"annotations"`
}

// manifest is a document that has been found good.
type manifest struct {
	mediaType    string
	artifactType string // as the referrers list states it
	subject      digest // or empty
	annotations  map[string]string
	blobs        []reference
	children     []reference
}

type reference struct {
	digest  digest
	foreign bool // is kept elsewhere and need not be here
}

func (m *manifest) references() []reference {
	return append(m.blobs[:len(m.blobs):len(m.blobs)], m.children...)
}

// parseManifest reads a manifest of the given Content-Type, which may be empty. Its errors are failures.
func parseManifest(body []byte, contentType string) (*manifest, error) {
	var doc document
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, badManifest("the manifest is no JSON object of the expected form: %v", err)
	}
	m := &manifest{artifactType: doc.ArtifactType, annotations: doc.Annotations}
	var err error
	if m.mediaType, err = doc.mediaType(contentType); err != nil {
		return nil, err
	}
	if doc.SchemaVersion != 2 && doc.SchemaVersion != 0 {
		return nil, badManifest("schemaVersion %d is not supported, want 2", doc.SchemaVersion)
	}
	switch m.mediaType {
	case typeOCIManifest, typeDockerManifest:
		// One document that two clients read as two things is an attack (CVE-2021-41190).
		if doc.Manifests != nil {
			return nil, badManifest("an image manifest has no field \"manifests\"")
		}
		if doc.Config == nil {
			return nil, badManifest("an image manifest needs the field \"config\"")
		}
		if m.artifactType == "" {
			m.artifactType = doc.Config.MediaType
		}
	case typeOCIIndex, typeDockerList:
		if doc.Layers != nil || doc.Config != nil {
			return nil, badManifest("an index has no fields \"layers\" and \"config\"")
		}
	}
	if doc.Config != nil {
		doc.Layers = append(doc.Layers, *doc.Config)
	}
	for _, d := range append(doc.Layers, doc.Blobs...) {
		if m.blobs, err = appendReference(m.blobs, d); err != nil {
			return nil, err
		}
	}
	for _, d := range doc.Manifests {
		if m.children, err = appendReference(m.children, d); err != nil {
			return nil, err
		}
	}
	if doc.Subject != nil {
		var ok bool
		if m.subject, ok = parseDigest(doc.Subject.Digest); !ok {
			return nil, badManifest("the subject's digest %q is not valid", doc.Subject.Digest)
		}
	}
	return m, nil
}

// mediaType settles what a document is: what the request says, else what the document says, else what it looks like.
func (doc *document) mediaType(contentType string) (string, error) {
	stated := ""
	if contentType != "" {
		base, _, err := mime.ParseMediaType(contentType)
		if err != nil {
			return "", badManifest("Content-Type %q: %v", contentType, err)
		}
		stated = base
	}
	switch {
	case doc.MediaType != "" && stated != "" && doc.MediaType != stated:
		return "", badManifest("Content-Type is %q, but the manifest says it is %q", stated, doc.MediaType)
	case stated != "":
		return stated, nil
	case doc.MediaType != "":
		return doc.MediaType, nil
	case doc.Manifests != nil:
		return typeOCIIndex, nil
	case doc.Config != nil:
		return typeOCIManifest, nil
	}
	return "", badManifest("neither Content-Type nor the manifest says what it is")
}

func appendReference(to []reference, d descriptor) ([]reference, error) {
	named, ok := parseDigest(d.Digest)
	if !ok {
		return nil, badManifest("the digest %q in the manifest is not valid", d.Digest)
	}
	return append(to, reference{named, len(d.URLs) > 0 || isForeign(d.MediaType)}), nil
}

// isForeign tells the layers that licences keep from being pushed.
func isForeign(mediaType string) bool {
	return strings.Contains(mediaType, ".layer.nondistributable.") ||
		strings.HasPrefix(mediaType, "application/vnd.docker.image.rootfs.foreign.")
}

func badManifest(format string, args ...any) error {
	return fail(http.StatusBadRequest, codeManifestInvalid, format, args...)
}

// readManifest reads a manifest back from disk.
func readManifest(s *store, d digest, mediaType string) (*manifest, error) {
	body, err := s.read(d)
	if err != nil {
		return nil, err
	}
	return parseManifest(body, mediaType)
}
