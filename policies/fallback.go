package policies

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/internal/typo"
)

// ReadGuest reads a policy's tokens; d stands on its name. It returns the
// module, and the module as JSON.
func ReadGuest(d *caddyfile.Dispenser) (caddyfile.Unmarshaler, json.RawMessage, error) {
	name := d.Val()
	if _, err := caddy.GetModule(namespace + name); err != nil {
		var known []string
		for _, info := range caddy.GetModules(strings.TrimSuffix(namespace, ".")) {
			known = append(known, info.ID.Name())
		}
		return nil, nil, d.Errf("unknown policy '%s'%s", name, typo.Suggest(name, known...))
	}
	mod, err := caddyfile.UnmarshalModule(d, namespace+name)
	if err != nil {
		return nil, nil, err
	}
	return mod, caddyconfig.JSONModuleObject(mod, "policy", name, nil), nil
}

// fallback is the policy behind another one, as the configuration holds it.
// fitting is the module, once it is read or loaded.
type fallback struct {
	module  Module
	fitting any
}

// defaultFallback is what reverse_proxy's policies fall back to as well.
var defaultFallback = json.RawMessage(`{"policy":"random"}`)

// read reads the option `fallback`; d stands on it.
func (f *fallback) read(d *caddyfile.Dispenser, raw *json.RawMessage) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	mod, data, err := ReadGuest(d)
	if err != nil {
		return err
	}
	f.fitting, *raw = mod, data
	return nil
}

// load loads the policy in the field FallbackRaw of host.
func (f *fallback) load(ctx caddy.Context, host any) error {
	mod, err := ctx.LoadModule(host, "FallbackRaw")
	if err != nil {
		return fmt.Errorf("loading the fallback policy: %w", err)
	}
	module, ok := mod.(Module)
	if !ok {
		return fmt.Errorf("module %T is no policy", mod)
	}
	f.module, f.fitting = module, module
	return nil
}

func (f *fallback) fit(targets int) error {
	if fitting, ok := f.fitting.(Fitting); ok {
		if err := fitting.Fit(targets); err != nil {
			return fmt.Errorf("fallback: %w", err)
		}
	}
	return nil
}
