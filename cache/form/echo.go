package form

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// echoed are the members of a response object that repeat the request and are
// no part of what makes two requests the same: they are whoever's asks now.
// Those that are, such as tools or temperature, stand there as they should.
//
// Responses alone repeats requests; neither Chat Completions, Messages nor
// generateContent has such members in its answers.
var echoed = []struct {
	name string

	// none is what the API answers when the request does not have the member.
	// Empty: the server's own choice, which stays.
	none string

	// own says that the member tells who asked. It is added where the answer
	// has none.
	own bool
}{
	{"metadata", "{}", true},
	{"user", "null", true},
	{"safety_identifier", "null", true},
	{"prompt_cache_key", "null", true},
	{"instructions", "null", false},
	{"prompt_cache_options", "", false},
	{"prompt_cache_retention", "", false},
	{"store", "", false},
}

var echoKeys = func() *jsonscan.Keys {
	names := make([]string, len(echoed))
	for i, m := range echoed {
		names[i] = m.name
	}
	return jsonscan.NewKeys(names...)
}()

// echoes are the buffers of Echo; it runs for every hit.
var echoes = sync.Pool{New: func() any { return new(echo) }}

type echo struct {
	body    []byte // the request
	asked   jsonscan.Object
	said    jsonscan.Object
	changes []jsonscan.Change
	edits   []jsonscan.Edit
}

// Echo returns an answer of Responses whose members that repeat the request are
// those of body, the present client's. The other bytes are the same, and the
// very same where nothing has to change. Forms of other operations have no such
// members.
func Echo(f cache.Form, body []byte) (cache.Form, error) {
	if f.Operation != wire.Responses {
		return f, nil
	}
	e := echoes.Get().(*echo)
	defer func() {
		clear(e.edits)
		clear(e.changes)
		e.body, e.edits, e.changes = nil, e.edits[:0], e.changes[:0]
		echoes.Put(e)
	}()
	if err := e.ask(body); err != nil {
		return cache.Form{}, fmt.Errorf("reading request for kept answer: %w", err)
	}
	if err := e.form(f); err != nil {
		return cache.Form{}, fmt.Errorf("reading kept answer: %w", err)
	}
	if len(e.edits) > 0 {
		f.Body = jsonscan.Splice(nil, f.Body, e.edits)
	}
	return f, nil
}

var noRequest = []byte("{}")

// Spelling tells requests apart that ask for the same, but not for the same bytes:
// it is equal for two with the same digest if the answer to one may be shown to the
// other as it is. Most have none.
func Spelling(op *wire.Operation, body []byte) string {
	switch {
	case op == wire.Embeddings:
		if base64, _ := wantsBase64(Want{Operation: op, Body: body}); base64 {
			return "base64"
		}
		return ""
	case op != wire.Responses:
		return ""
	}
	var asked jsonscan.Object
	if jsonscan.Scan(body, echoKeys, jsonscan.DefaultLimits, &asked) != nil {
		return string(body)
	}
	h, some := sha256.New(), false
	for i := range echoed {
		if v := asked.Get(i); v.Exists() && v.Kind != jsonscan.Null {
			some = true
			raw := v.Raw(body)
			h.Write(binary.LittleEndian.AppendUint64([]byte{byte(i)}, uint64(len(raw))))
			h.Write(raw)
		}
	}
	if !some {
		return ""
	}
	return string(h.Sum(nil))
}

// ask reads the request.
func (e *echo) ask(body []byte) error {
	if len(body) == 0 {
		body = noRequest
	}
	e.body = body
	return jsonscan.Scan(body, echoKeys, jsonscan.DefaultLimits, &e.asked)
}

var responseName = []byte(`"response"`)

// form finds the response objects of an answer.
func (e *echo) form(f cache.Form) error {
	if !f.Stream {
		root, err := wire.ParseAnswer(f.Body)
		if err != nil {
			return err
		}
		return e.response(f.Body, root, 0)
	}
	stream := frames{body: f.Body}
	for at, ok := stream.next(); ok; at, ok = stream.next() {
		data := at.data(f.Body)
		if !bytes.Contains(data, responseName) && !at.several {
			continue
		}
		if at.several {
			return errSeveral
		}
		root, err := wire.ParseAnswer(data)
		if err != nil {
			return err
		}
		if v := jsonscan.Lookup(data, root, "response"); v.Kind == jsonscan.ObjectKind {
			if err := e.response(data, v, at.From); err != nil {
				return err
			}
		}
	}
	return nil
}

// response notes what has to change in the response object v of data, which
// stands at offset in the answer.
func (e *echo) response(data []byte, v jsonscan.Value, offset int) error {
	if err := jsonscan.ScanObject(data, v, echoKeys, &e.said); err != nil {
		return err
	}
	e.changes = e.changes[:0]
	for i := range echoed {
		if raw, ok := e.change(i, e.said.Get(i), data); ok {
			e.changes = append(e.changes, jsonscan.Change{Key: i, Raw: raw})
		}
	}
	if len(e.changes) == 0 {
		return nil
	}
	first := len(e.edits)
	e.edits = e.said.Edits(data, e.edits, e.changes...)
	for i := first; i < len(e.edits); i++ {
		e.edits[i].Start += offset
		e.edits[i].End += offset
	}
	return nil
}

// change is what member i has to become; ok is false when it is right.
func (e *echo) change(i int, said jsonscan.Value, data []byte) (raw []byte, ok bool) {
	asked := e.asked.Get(i)
	nothing := !asked.Exists() || asked.Kind == jsonscan.Null
	switch {
	case nothing && (echoed[i].none == "" || isNone(data, said)):
		return nil, false
	case nothing:
		return []byte(echoed[i].none), true
	case !said.Exists() && !echoed[i].own:
		return nil, false
	}
	raw = asked.Raw(e.body)
	if bytes.Equal(raw, said.Raw(data)) {
		return nil, false
	}
	return oneLine(raw), true
}

// isNone reports whether v says nothing: absent, null, or an empty object.
func isNone(data []byte, v jsonscan.Value) bool {
	if v.Kind == jsonscan.ObjectKind {
		for range jsonscan.Members(data, v) {
			return false
		}
		return true
	}
	return !v.Exists() || v.Kind == jsonscan.Null
}

// oneLine is raw JSON without line ends, which would end the data of an event.
func oneLine(raw []byte) []byte {
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0 {
		return raw
	}
	line := make([]byte, 0, len(raw))
	for _, c := range raw {
		if c != '\n' && c != '\r' {
			line = append(line, c)
		}
	}
	return line
}
