package yandex

import (
	"net/http"
	"strings"
)

// Token is the IAM token that everybody is given. Clients know one by its t1. and its two dots; here it opens nothing and is
// asked for by nobody.
const Token = "t1.regcast.local"

// MetadataPath begins the paths of the metadata service.
const MetadataPath = "/computeMetadata/"

const tokenLife = 12 * 60 * 60 // seconds

// ServeMetadata serves what functions ask of the metadata service: the token of their service account. All else is not emulated.
func (c *Cloud) ServeMetadata(w http.ResponseWriter, r *http.Request) {
	const flavor, google = "Metadata-Flavor", "Google"
	w.Header().Set(flavor, google)
	plain := func(status int, text string) {
		write(w, r, answer{status: status, header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, body: []byte(text + "\n")})
	}
	path, _ := strings.CutPrefix(r.URL.Path, MetadataPath+"v1/instance/")
	recursive := r.URL.Query().Has("recursive") && r.URL.Query().Get("recursive") != "false"
	switch {
	case r.Header.Get(flavor) != google:
		plain(http.StatusForbidden, "missing the header "+flavor+": "+google)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		plain(http.StatusMethodNotAllowed, "got "+r.Method+", want GET")
	case path == "service-accounts/default/token":
		write(w, r, answer{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: encodeJSON(map[string]any{
			"access_token": Token, "expires_in": tokenLife, "token_type": "Bearer",
		})})
	case path == "" && recursive:
		write(w, r, answer{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: encodeJSON(map[string]any{
			"id":              ServiceAccountID,
			"serviceAccounts": map[string]any{"default": map[string]any{"aliases": []string{"default"}, "email": ServiceAccountID, "scopes": []string{}}},
		})})
	default:
		plain(http.StatusNotFound, "not emulated: "+r.URL.Path+"; emulated: "+MetadataPath+"v1/instance/service-accounts/default/token")
	}
}
