package gemini

import (
	"strconv"
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// Camel is the camelCase form of a name. Google's parsers take a name in both
// spellings.
func Camel(name string) string {
	if strings.IndexByte(name, '_') < 0 {
		return name
	}
	out := make([]byte, 0, len(name))
	for i := 0; i < len(name); i++ {
		if c := name[i]; c == '_' && i > 0 && i+1 < len(name) && 'a' <= name[i+1] && name[i+1] <= 'z' {
			i++
			out = append(out, name[i]-'a'+'A')
		} else {
			out = append(out, c)
		}
	}
	return string(out)
}

// path is where in a request something stands, to name it in errors.
type path struct {
	up    *path
	name  string
	index int
}

func (p *path) member(name string) *path { return &path{up: p, name: name, index: -1} }
func (p *path) element(i int) *path      { return &path{up: p, index: i} }

func (p *path) String() string {
	if p == nil {
		return ""
	}
	up := p.up.String()
	switch {
	case p.index >= 0:
		return up + "[" + strconv.Itoa(p.index) + "]"
	case up == "":
		return strings.Clone(p.name) // it may lie in the body
	default:
		return up + "." + p.name
	}
}

// reader decodes one request. Its first failure sticks, and reading on after
// it does no harm.
type reader struct {
	*wire.Doc
	req     *wire.Request
	failure *wire.Failure
}

func (r *reader) fail(at *path, message string) {
	if r.failure == nil {
		where := at.String()
		r.failure = &wire.Failure{Kind: wire.KindInvalid, Param: where, Message: "'" + where + "' " + message}
	}
}

// members calls visit with the camelCase name, the place and the value of
// every member of an object that is not null. A member that stands there in
// both spellings could be read in two ways, so it is refused.
func (r *reader) members(v jsonscan.Value, at *path, visit func(name string, at *path, v jsonscan.Value)) {
	if v.Kind != jsonscan.ObjectKind {
		r.fail(at, "must be an object")
		return
	}
	var few [32]string
	met := few[:0]
	var many map[string]bool
	for own, value := range r.Members(v) {
		name := Camel(own)
		twice := many[name]
		for i := 0; i < len(met) && !twice; i++ {
			twice = met[i] == name
		}
		here := at.member(own)
		switch {
		case twice:
			r.fail(here, "stands there more than once, or in two spellings; write it once")
			return
		case len(met) < len(few):
			met = append(met, name)
		default:
			if many == nil {
				many = make(map[string]bool)
			}
			many[name] = true
		}
		if value.Kind == jsonscan.Null {
			continue
		}
		if visit(name, here, value); r.failure != nil {
			return
		}
	}
}

// extra keeps a member that the canonical model has no place for.
func (r *reader) extra(at *path, v jsonscan.Value) {
	for i := range len(at.name) {
		switch c := at.name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_':
		default:
			r.fail(at, "is no member of the API")
			return
		}
	}
	r.req.Extra = append(r.req.Extra, wire.Extra{Name: at.String(), Raw: r.Raw(v)})
}

// spelled notes how the client spells a member with a canonical name.
func (r *reader) spelled(canonical string, at *path) { r.req.Spelling[canonical] = at.String() }

func (r *reader) text(v jsonscan.Value, at *path) string {
	if v.Kind != jsonscan.String {
		r.fail(at, "must be a string")
		return ""
	}
	return r.Str(v)
}

// long is text that may be long, of a message.
func (r *reader) long(v jsonscan.Value, at *path) string {
	if v.Kind != jsonscan.String {
		return r.text(v, at)
	}
	return r.Long(v)
}

// number reads a number, which Google's parsers also take in quotes.
func (r *reader) number(v jsonscan.Value, at *path) wire.Number {
	switch v.Kind {
	case jsonscan.Number:
		return r.Num(v)
	case jsonscan.String:
		quoted := r.Str(v)
		if inner, err := wire.ParseAnswer([]byte(quoted)); err == nil && inner.Kind == jsonscan.Number && len(quoted) == inner.End {
			return wire.Number(quoted[inner.Start:])
		}
	}
	r.fail(at, "must be a number")
	return ""
}

func (r *reader) integer(v jsonscan.Value, at *path) int64 {
	n := r.number(v, at)
	if n == "" {
		return 0
	}
	whole, ok := jsonscan.Value{Kind: jsonscan.Number, End: len(n)}.Int([]byte(n))
	if !ok {
		r.fail(at, "must be a whole number")
	}
	return whole
}

func (r *reader) flag(v jsonscan.Value, at *path) bool {
	if v.Kind != jsonscan.Bool {
		r.fail(at, "must be true or false")
	}
	return r.Bool(v)
}

func (r *reader) strings(v jsonscan.Value, at *path) []string {
	if v.Kind != jsonscan.Array {
		r.fail(at, "must be an array of strings")
		return nil
	}
	var list []string
	i := 0
	for e := range r.Elements(v) {
		list = append(list, r.text(e, at.element(i)))
		i++
	}
	return list
}

// each calls visit for the elements of an array. Google's parsers take an
// object for an array of one.
func (r *reader) each(v jsonscan.Value, at *path, visit func(at *path, v jsonscan.Value)) {
	switch v.Kind {
	case jsonscan.ObjectKind:
		visit(at, v)
	case jsonscan.Array:
		i := 0
		for e := range r.Elements(v) {
			if visit(at.element(i), e); r.failure != nil {
				return
			}
			i++
		}
	default:
		r.fail(at, "must be an array")
	}
}
