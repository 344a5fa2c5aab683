package yandex

import (
	"cmp"
	"net/http"
	"strings"
)

// Token is the developer's IAM token: it opens everything here and nothing anywhere else. Clients know one by its t1. and its two dots.
const Token = "t1.regcast.local"

// MetadataPath begins the paths of the metadata service.
const MetadataPath = "/computeMetadata/"

const tokenLife = 12 * 60 * 60 // seconds

// Identity is who asks the metadata service: for each there is a service of its own, which serves the token of the service account. All
// else is not emulated.
type Identity struct {
	ServiceAccountID string // empty: none
	// Token gives the account's token, or says why there is none. It is not asked without an account.
	Token func() (string, error)
}

// Developer is who runs regcast, by the default account.
func Developer() Identity {
	return Identity{ServiceAccountID, func() (string, error) { return Token, nil }}
}

// ServeHTTP serves paths below MetadataPath. Without an account, or a token, the answer is 404, as SDKs know it.
func (who Identity) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const flavor, google = "Metadata-Flavor", "Google"
	w.Header().Set(flavor, google)
	plain := func(status int, text string) {
		write(w, r, answer{status: status, header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, body: []byte(text + "\n")})
	}
	path, _ := strings.CutPrefix(r.URL.Path, MetadataPath+"v1/instance/")
	accounts := map[string]any{}
	if id := who.ServiceAccountID; id != "" {
		accounts["default"] = map[string]any{"aliases": []string{"default"}, "email": id, "scopes": []string{}}
	}
	recursive := r.URL.Query().Has("recursive") && r.URL.Query().Get("recursive") != "false"
	switch {
	case r.Header.Get(flavor) != google:
		plain(http.StatusForbidden, "missing the header "+flavor+": "+google)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		plain(http.StatusMethodNotAllowed, "got "+r.Method+", want GET")
	case path == "service-accounts/default/token" && who.ServiceAccountID == "":
		plain(http.StatusNotFound, "there is no service account")
	case path == "service-accounts/default/token":
		token, err := who.Token()
		if err != nil {
			plain(http.StatusNotFound, err.Error())
			return
		}
		write(w, r, answer{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: encodeJSON(map[string]any{
			"access_token": token, "expires_in": tokenLife, "token_type": "Bearer",
		})})
	case path == "" && recursive:
		write(w, r, answer{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: encodeJSON(map[string]any{
			"id": cmp.Or(who.ServiceAccountID, ServiceAccountID), "serviceAccounts": accounts,
		})})
	default:
		plain(http.StatusNotFound, "not emulated: "+r.URL.Path+"; emulated: "+MetadataPath+"v1/instance/service-accounts/default/token")
	}
}
