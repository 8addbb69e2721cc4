package integration

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// TestValidateJSON holds that JSON is refused as the Caddyfile is.
func TestValidateJSON(t *testing.T) {
	const targets = `"targets":[{"provider":"sim","model":"a"}]`
	for members, want := range map[string]string{
		`"models":{"chat":{` + targets + `,"min_temperature":0,"max_temperature":1}}`: "",
		`"models":{"chat":{` + targets + `,"min_temperature":2,"max_temperature":1}}`: "model 'chat': temperature: the lower bound is above the upper one",
		`"models":{"":{` + targets + `}}`:                                             "a model has no name",
		`"models":{"a*b":{` + targets + `}}`:                                          "`*` may only stand at the end",
		`"providers":{"":{"provider":"simulator"}}`:                                   "a provider has no name",
		`"providers":{"a/b":{"provider":"simulator"}}`:                                "provider 'a/b': a name must not contain a slash",
		`"usage":[{"sink":"log"}]`:                                                    "",
		`"usage":[{"sink":"log"},{"sink":"log"}]`:                                     "usage: two sinks are the same",
		`"unpriced":"dney"`:                                                           "unpriced must be",
		`"prices":["sim/* input 1 output 2"]`:                                         "",
		`"prices":["simm/x input 1 output 2"]`:                                        "price of 'simm/x': the provider 'simm' is not configured; did you mean 'sim'?",
		`"prices":[" simm/x  input 1 output 2"]`:                                      "price of 'simm/x'",
		`"prices":["sim/x inptu 1 output 2"]`:                                         "did you mean 'input'?",
		`"keys":{"ci":{"secret":"literal"}}`:                                          "must be a placeholder",
		`"limits":[{"rule":"usd 1 1d downgrade nobody/x"}]`:                           "downgrade: the model 'nobody/x' does not exist",
		`"limits":[{"rule":"request 1 1d"}]`:                                          "did you mean 'requests'?",
		`"limits":[{"rule":"usd 1 1d"},{"rule":"usd 2 1d"}]`:                          "another limit has the same unit and window",
	} {
		if !strings.Contains(members, `"providers"`) {
			members += `,"providers":{"sim":{"provider":"simulator"}}`
		}
		config := `{"admin":{"disabled":true},"apps":{"ai":{"records":{"records":"off"},` + members + `}}}`
		var cfg caddy.Config
		if err := json.Unmarshal([]byte(config), &cfg); err != nil {
			t.Fatal(err)
		}
		err := caddy.Validate(&cfg)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s\nerror %v\nwant  %s", members, err, want)
		}
	}
}
