package emulatortest

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const manifestType = "application/vnd.oci.image.manifest.v1+json"

type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int    `json:"size"`
}

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

// Push pushes a new small image, as a client does, and returns its digest. The reference is NAME:TAG, or NAME for a push by
// digest; the name may begin with a registry id.
func (e *Emulator) Push(reference string) (digest string) {
	e.t.Helper()
	name, tag := split(reference)
	config := []byte(`{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}`)
	layer := []byte(rand.Text()) // what makes the image a new one
	m := manifest{SchemaVersion: 2, MediaType: manifestType,
		Config: e.blob(name, "application/vnd.oci.image.config.v1+json", config),
		Layers: []descriptor{e.blob(name, "application/vnd.oci.image.layer.v1.tar", layer)},
	}
	body, err := json.Marshal(m)
	if err != nil {
		e.t.Fatalf("emulatortest: push %s: %v", reference, err)
	}
	digest = digestOf(body)
	if tag == "" {
		tag = digest
	}
	e.do(http.MethodPut, "/v2/"+name+"/manifests/"+tag, manifestType, body, http.StatusCreated)
	return digest
}

// Tag gives an image that the repository has a further tag: it pushes the same manifest again under reference's tag.
func (e *Emulator) Tag(reference, digest string) {
	e.t.Helper()
	name, tag := split(reference)
	body := e.do(http.MethodGet, "/v2/"+name+"/manifests/"+digest, "", nil, http.StatusOK)
	e.do(http.MethodPut, "/v2/"+name+"/manifests/"+tag, manifestType, body, http.StatusCreated)
}

// Delete deletes NAME:TAG (the tag alone) or NAME@DIGEST (the image with its tags).
func (e *Emulator) Delete(reference string) {
	e.t.Helper()
	name, what, ok := strings.Cut(reference, "@")
	if !ok {
		name, what = split(reference)
	}
	e.do(http.MethodDelete, "/v2/"+name+"/manifests/"+what, "", nil, http.StatusAccepted)
}

func (e *Emulator) blob(name, mediaType string, data []byte) descriptor {
	e.t.Helper()
	d := descriptor{MediaType: mediaType, Digest: digestOf(data), Size: len(data)}
	e.do(http.MethodPost, "/v2/"+name+"/blobs/uploads/?digest="+d.Digest, "application/octet-stream", data, http.StatusCreated)
	return d
}

func (e *Emulator) do(method, path, contentType string, body []byte, want int) []byte {
	e.t.Helper()
	req, err := http.NewRequest(method, e.URL()+path, bytes.NewReader(body))
	if err != nil {
		e.t.Fatalf("emulatortest: %v", err)
	}
	req.Header.Set("Content-Type", contentType)
	res, err := e.client.Do(req)
	if err != nil {
		e.t.Fatalf("emulatortest: %v", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		e.t.Fatalf("emulatortest: %s %s: %v", method, path, err)
	}
	if res.StatusCode != want {
		e.t.Fatalf("emulatortest: %s %s: got %s, want %d: %s", method, path, res.Status, want, answer)
	}
	return answer
}

// split cuts NAME:TAG. A colon in the name can only be that of the tag: no host stands before it.
func split(reference string) (name, tag string) {
	name, tag, _ = strings.Cut(reference, ":")
	return name, tag
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return fmt.Sprintf("sha256:%s", hex.EncodeToString(sum[:]))
}
