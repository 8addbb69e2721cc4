package words

import (
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Options calls use with each option of the block that follows. Each may be given
// once, but those in repeat; given are those that have been given before, and may be
// nil.
func Options(d *caddyfile.Dispenser, given map[string]bool, use func(option string) error, repeat ...string) error {
	if given == nil {
		given = make(map[string]bool)
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if given[option] && !slices.Contains(repeat, option) {
			return d.Errf("%s is given twice", option)
		}
		given[option] = true
		if err := use(option); err != nil {
			return err
		}
	}
	return nil
}

// Module reads a module's segment, `name [<value>] { <options> }`, in which the
// value is short for the option first. check, which may be nil, refuses values.
func Module(d *caddyfile.Dispenser, first string, into *string, check func(value string) error, use func(option string) error) error {
	checked := func() error {
		if check == nil {
			return nil
		}
		if err := check(*into); err != nil {
			return d.Errf("%s: %v", first, err)
		}
		return nil
	}
	d.Next()
	if d.NextArg() {
		*into = d.Val()
		if err := checked(); err != nil {
			return err
		}
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	return Options(d, map[string]bool{first: *into != ""}, func(option string) error {
		if err := use(option); err != nil || option != first {
			return err
		}
		return checked()
	})
}
