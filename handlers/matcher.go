package handlers

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"path"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirproxy/weir/wire"
)

func init() {
	caddy.RegisterModule(MatchModel{})
}

// MatchModel matches requests by the model that they ask for, with `*` as a
// wildcard. It reads the body as ai_proxy does, JSON, plain or with gzip, or a form;
// it stays readable for what comes after. A body that cannot be understood, or is
// larger than 32 MiB, matches nothing.
type MatchModel []string

// maxPeek bounds the body that is read for a match; the default of ai_proxy.
const maxPeek = defaultMaxBody

// peekedKey is where the model is kept for the next matcher.
const peekedKey = "ai.peeked_model"

// CaddyModule returns the Caddy module information.
func (MatchModel) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.matchers.ai_model",
		New: func() caddy.Module { return new(MatchModel) },
	}
}

// UnmarshalCaddyfile reads the matcher. Syntax:
//
//	ai_model <patterns...>
//
// Several lines add up.
func (m *MatchModel) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	for d.Next() {
		args := d.RemainingArgs()
		if len(args) == 0 {
			return d.ArgErr()
		}
		for _, pattern := range args {
			if _, err := path.Match(escape(pattern), ""); err != nil {
				return d.Errf("ai_model: '%s' is not a valid pattern", pattern)
			}
		}
		*m = append(*m, args...)
		if d.NextBlock(0) {
			return d.Err("ai_model takes no block")
		}
	}
	return nil
}

// MatchWithError implements caddyhttp.RequestMatcherWithError.
func (m MatchModel) MatchWithError(r *http.Request) (bool, error) {
	model, err := peekModel(r)
	if err != nil || model == "" {
		return false, err
	}
	for _, pattern := range m {
		if matches(pattern, model) {
			return true, nil
		}
	}
	return false, nil
}

// escape keeps path.Match to `*`, which must also match slashes: model names
// have them.
func escape(pattern string) string {
	return strings.NewReplacer(`\`, `\\`, `?`, `\?`, `[`, `\[`, `/`, "\x00").Replace(pattern)
}

func matches(pattern, model string) bool {
	ok, err := path.Match(escape(pattern), strings.ReplaceAll(model, "/", "\x00"))
	return err == nil && ok
}

// peekModel reads the model out of the body and puts the body back. The read
// happens once per request.
func peekModel(r *http.Request) (string, error) {
	if model, ok := caddyhttp.GetVar(r.Context(), peekedKey).(string); ok {
		return model, nil
	}
	route := wire.Match(r.Method, decodedPath(r.URL), r.Header.Get("Anthropic-Version") != "")
	if route.Operation == nil || route.Allow != "" || route.Operation == wire.ListModels {
		return "", nil
	}
	if route.Model != "" {
		return route.Model, nil // Gemini names it in the path
	}
	mediaType, params, _ := parseMediaType(r.Header.Get("Content-Type"))
	form := route.Operation.Form && strings.HasPrefix(mediaType, "multipart/")
	if r.ContentLength > maxPeek && !form {
		return "", nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxPeek+1))
	var again io.Reader = bytes.NewReader(body)
	if len(body) > maxPeek || err != nil {
		again = io.MultiReader(again, r.Body)
	}
	// A body that was read to its end must not be read once more: Caddy's idle
	// reader would arm its deadline again and cut the stream that follows.
	r.Body = struct {
		io.Reader
		io.Closer
	}{again, r.Body}
	if err != nil {
		// A limit of a handler before this one; it chose the status.
		return "", err
	}
	var model string
	if form {
		model = modelOfForm(route.Operation, body, params["boundary"])
	} else {
		model = modelOfJSON(route.Operation, body, r.Header)
	}
	caddyhttp.SetVar(r.Context(), peekedKey, model)
	return model, nil
}

// modelOfJSON is the model that a body asks for; empty where ai_proxy will tell the
// client what is wrong.
func modelOfJSON(op *wire.Operation, body []byte, header http.Header) string {
	src, packed, err := plain(bytes.NewReader(body), header, maxPeek)
	if err != nil {
		return ""
	}
	if packed {
		if body, err = io.ReadAll(io.LimitReader(src, maxPeek+1)); err != nil || len(body) > maxPeek {
			return ""
		}
	}
	var env wire.Envelope
	if env.Decode(op, body) != nil {
		return ""
	}
	return env.Model
}

// modelOfForm does so for a form, of which body may be the beginning.
func modelOfForm(op *wire.Operation, body []byte, boundary string) string {
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for range maxParts {
		part, err := parts.NextRawPart()
		switch {
		case err == io.EOF:
			return op.DefaultModel
		case err != nil:
			return ""
		case part.FormName() != "model":
			continue
		}
		value, err := io.ReadAll(io.LimitReader(part, maxField))
		if err != nil {
			return ""
		}
		return string(value)
	}
	return ""
}

// Interface guards.
var (
	_ caddyhttp.RequestMatcherWithError = MatchModel{}
	_ caddyfile.Unmarshaler             = (*MatchModel)(nil)
)
