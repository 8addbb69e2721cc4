package words

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/internal/typo"
)

// Guest reads the tokens of a guest module; d stands on its name. what is what
// users call such modules.
func Guest(d *caddyfile.Dispenser, namespace, what string) (caddyfile.Unmarshaler, error) {
	name := d.Val()
	if _, err := caddy.GetModule(namespace + "." + name); err != nil {
		var known []string
		for _, info := range caddy.GetModules(namespace) {
			known = append(known, info.ID.Name())
		}
		return nil, d.Errf("unknown %s '%s'%s", what, name, typo.Suggest(name, known...))
	}
	return caddyfile.UnmarshalModule(d, namespace+"."+name)
}
