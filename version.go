package weir

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
)

// versionOf is a name for all in a provider's settings that may change its
// answers: kept ones are not shown any more when it changes. Keys, connections and
// bounds are no part of it.
func versionOf(raw json.RawMessage) string {
	var settings map[string]json.RawMessage
	_ = json.Unmarshal(raw, &settings) // an error shows when the module is loaded
	repl := caddy.NewReplacer()
	h := sha256.New()
	for _, name := range [...]string{"provider", "base_url", "api_version", "region", "project", "location", "profile", "type", "headers"} {
		value := string(settings[name])
		if name != "headers" { // which may hold secrets that change by themselves
			value = repl.ReplaceKnown(value, "") // another file is another place
		}
		h.Write([]byte(name + "=" + value))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
