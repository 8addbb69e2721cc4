package redis

import (
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/internal/typo"
	"github.com/weirproxy/weir/internal/words"
)

// UnmarshalCaddyfile reads:
//
//	redis [<url>] {
//		url      <url>
//		prefix   <word>
//		deadline <duration>
//		pool     <connections>
//		mode     strict|leased
//		lease    <duration>
//		chunk    <percent>
//		tls {
//			ca          <file>
//			certificate <file> <key file>
//			server_name <name>
//		}
//	}
func (m *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return words.Module(d, "url", &m.URL, checkPassword, func(option string) error {
		var err error
		switch option {
		case "url":
			err = word(d, &m.URL)
		case "prefix":
			err = word(d, &m.Prefix)
		case "deadline":
			err = words.Duration(d, &m.Deadline)
		case "pool":
			err = words.Count(d, &m.Pool)
		case "mode":
			if err = word(d, &m.Mode); err == nil && m.Mode != modeStrict && m.Mode != modeLeased {
				err = d.Errf("unknown mode '%s'%s", m.Mode, typo.Suggest(m.Mode, modeStrict, modeLeased))
			}
		case "lease":
			if err = words.Duration(d, &m.Lease); err == nil && m.Lease < 0 {
				err = d.Err("lease cannot be off; mode strict borrows nothing")
			}
		case "chunk":
			err = chunk(d, &m.Chunk)
		case "tls":
			err = m.unmarshalTLS(d)
		default:
			err = d.Errf("unknown option '%s'%s", option, typo.Suggest(option, "url", "prefix", "deadline", "pool", "mode", "lease", "chunk", "tls"))
		}
		return err
	})
}

func (m *Module) unmarshalTLS(d *caddyfile.Dispenser) error {
	m.TLS = &TLS{}
	if d.NextArg() {
		return d.ArgErr()
	}
	seen := map[string]bool{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if seen[option] {
			return d.Errf("tls: %s is given twice", option)
		}
		seen[option] = true
		var err error
		switch option {
		case "ca":
			err = word(d, &m.TLS.CA)
		case "server_name":
			err = word(d, &m.TLS.ServerName)
		case "certificate":
			if !d.AllArgs(&m.TLS.Certificate, &m.TLS.Key) {
				err = d.Errf("certificate needs two files, the certificate's and its key's")
			}
		default:
			err = d.Errf("tls: unknown option '%s'%s", option, typo.Suggest(option, "ca", "certificate", "server_name"))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// word reads the one argument of an option.
func word(d *caddyfile.Dispenser, into *string) error {
	option := d.Val()
	if !d.AllArgs(into) || *into == "" {
		return d.Errf("%s needs one value", option)
	}
	return nil
}

// chunk reads a whole percentage, such as `25%`.
func chunk(d *caddyfile.Dispenser, into *int64) error {
	var text string
	if err := word(d, &text); err != nil {
		return err
	}
	number, ok := strings.CutSuffix(text, "%")
	n, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || n < 1 || n > maxChunk {
		return d.Errf("chunk: '%s' is no percentage of 1%% to %d%%", text, maxChunk)
	}
	*into = n
	return nil
}

// Interface guard.
var _ caddyfile.Unmarshaler = (*Module)(nil)
