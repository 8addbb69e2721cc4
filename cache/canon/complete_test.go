package canon

import (
	"reflect"
	"testing"

	"github.com/weirproxy/weir/wire"
)

// ignored are the fields that a digest does not depend on. A field of the
// canonical model that is neither here nor hashed fails TestEveryField.
var ignored = map[string]bool{
	"Request.Model":        true, // the caller adds what it resolves to
	"Request.Stream":       true,
	"Request.IncludeUsage": true,
	"Request.User":         true,
	"Request.Metadata":     true,
	"Request.ServiceTier":  true,
	"Request.CacheKey":     true,
	"Request.CacheOptions": true,
	"Request.CacheAuto":    true,
	"Request.Store":        true, // such a request is Stateful
	"Request.Echo":         true,
	"Request.Spelling":     true,
	"Block.Cache":          true,
	"Tool.Cache":           true,
	"EmbedRequest.Model":   true,
	"EmbedRequest.User":    true,
	"EmbedRequest.Single":  true,
	"EmbedRequest.Base64":  true,
}

// full has a value in every place, so that changes of each can be seen.
func full() *wire.Request {
	mark := func() *wire.CacheMark { return &wire.CacheMark{TTL: "5m"} }
	every := func(kind wire.BlockType) wire.Block {
		return wire.Block{
			Type: kind, Text: "t", Signature: "s", Vendor: wire.VendorOpenAI, ID: "i", Cache: mark(), Raw: `{"a":1}`,
			Media:     &wire.Media{MIME: "image/png", Data: "AAAA", URL: "u", FileID: "f", Name: "n", Detail: "low", Text: "t", Cite: true},
			Call:      &wire.Call{ID: "c", Name: "n", Arguments: `{"a":1}`},
			Result:    &wire.Result{CallID: "c", Name: "n", Content: []wire.Block{{Text: "x"}}},
			Citations: []wire.Citation{{URL: "u", Title: "t", Text: "w", Start: 1, End: 2}},
		}
	}
	return &wire.Request{
		Model: "m", System: []wire.Block{{Text: "s"}},
		Messages: []wire.Message{{Blocks: []wire.Block{every(wire.TextBlock)}}, {Role: wire.RoleAssistant, Blocks: []wire.Block{every(wire.ResultBlock)}}},
		Tools: []wire.Tool{{
			Name: "n", Description: "d", Schema: `{"a":1}`, Strict: wire.Yes, Grammar: `{"a":1}`, Cache: mark(), Raw: `{"a":1}`, Vendor: wire.VendorOpenAI,
		}},
		ToolChoice: wire.ToolChoice{Mode: "auto", Name: "n", Allowed: []string{"a"}}, ParallelTools: wire.Yes,
		Format:    wire.Format{Kind: "json_schema", Name: "n", Description: "d", Schema: `{"a":1}`, Strict: wire.Yes},
		MaxTokens: 1, Temperature: "1", TopP: "1", TopK: "1", FrequencyPenalty: "1", PresencePenalty: "1", Seed: "1", Stop: []string{"x"},
		Choices: 2, TopLogProbs: "1", LogitBias: `{"a":1}`, Reasoning: wire.Reasoning{Mode: "on", Effort: "low", Budget: 1, Show: "auto"},
		Verbosity: "v", Modalities: []string{"audio"}, User: "u", Metadata: `{"a":1}`, ServiceTier: "flex", CacheKey: "k", CacheOptions: `{"a":1}`,
		CacheAuto: mark(), State: []wire.Extra{{Name: "n", Raw: `{"a":1}`}}, Extra: []wire.Extra{{Name: "n", Raw: `{"a":1}`}},
		Echo: []wire.Extra{{Name: "n", Raw: `{"a":1}`}}, Dialect: wire.OpenAI, Spelling: map[string]string{"a": "b"},
	}
}

func requestDigest(req *wire.Request) Digest {
	w := newWriter(Options{})
	w.begin()
	w.request(req)
	w.facts.Partition = w.sum()
	return w.whole()
}

// walkFields calls visit with every field below v that can be set, by its type
// and name, and with an undo-able mutation of it.
func walkFields(t *testing.T, owner string, v reflect.Value, visit func(name string, mutate func())) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return // in a block within a result
		}
		old := v.Elem().Interface()
		visit(owner, func() { v.SetZero() })
		p := reflect.New(v.Type().Elem())
		p.Elem().Set(reflect.ValueOf(old))
		v.Set(p)
		walkFields(t, owner, v.Elem(), visit)
	case reflect.Struct:
		for i := range v.NumField() {
			walkFields(t, v.Type().Name()+"."+v.Type().Field(i).Name, v.Field(i), visit)
		}
	case reflect.Slice:
		if v.Len() == 0 {
			return
		}
		old := reflect.AppendSlice(reflect.Zero(v.Type()), v)
		visit(owner, func() { v.Set(reflect.Append(v, v.Index(0))) })
		v.Set(old)
		if v.Index(0).Kind() == reflect.String {
			was := v.Index(0).String()
			visit(owner, func() { v.Index(0).SetString("changed") })
			v.Index(0).SetString(was)
			return
		}
		for i := range v.Len() {
			walkFields(t, owner, v.Index(i), visit)
		}
	case reflect.Map:
		old := v.Interface()
		visit(owner, func() { v.SetZero() })
		v.Set(reflect.ValueOf(old))
	default:
		old := v.Interface()
		visit(owner, func() {
			switch v.Kind() {
			case reflect.String:
				switch s := v.String(); {
				case s == `{"a":1}`:
					v.SetString(`{"a":2}`)
				case s == "1":
					v.SetString("2")
				default:
					v.SetString(s + "x")
				}
			case reflect.Bool:
				v.SetBool(!v.Bool())
			case reflect.Int, reflect.Int64:
				v.SetInt(v.Int() + 1)
			case reflect.Uint8:
				v.SetUint(v.Uint() + 1)
			default:
				t.Fatalf("%s is of kind %v, which this test cannot change", owner, v.Kind())
			}
		})
		v.Set(reflect.ValueOf(old))
	}
}

// TestEveryField changes every field of a request: what is new in wire must be
// hashed, or named above.
func TestEveryField(t *testing.T) {
	req := full()
	embed := &wire.EmbedRequest{Model: "m", Inputs: []string{"a"}, Dimensions: 1, Task: "t", Title: "t", User: "u", Extra: []wire.Extra{{Name: "n", Raw: `{"a":1}`}}}
	for _, tt := range []struct {
		of     reflect.Value
		digest func() Digest
	}{
		{reflect.ValueOf(req).Elem(), func() Digest { return requestDigest(req) }},
		{reflect.ValueOf(embed).Elem(), func() Digest {
			w := newWriter(Options{})
			w.begin()
			w.embed(embed, wire.OpenAI)
			return w.sum()
		}},
	} {
		want := tt.digest()
		seen := map[string]bool{}
		walkFields(t, "", tt.of, func(name string, mutate func()) {
			mutate()
			seen[name] = true
			dead := ignored[name] || name == "CacheMark.TTL" || name == "Extra.Name" || name == "Extra.Raw"
			switch got := tt.digest(); {
			case name == "Extra.Name" || name == "Extra.Raw":
				// In Echo these change nothing, elsewhere all: TestExtras.
			case got == want && !dead:
				t.Errorf("%s is not part of the digest", name)
			case got != want && dead:
				t.Errorf("%s is part of the digest", name)
			}
		})
		if tt.digest() != want {
			t.Error("the test did not undo its changes")
		}
		for name := range fieldsOf(tt.of.Type(), map[string]bool{}) {
			if !seen[name] {
				t.Errorf("%s was not changed: it has to have a value", name)
			}
		}
		for name := range ignored {
			if owner := tt.of.Type().Name() + "."; len(name) > len(owner) && name[:len(owner)] == owner && !seen[name] {
				t.Errorf("%s does not exist any more", name)
			}
		}
	}
}

// fieldsOf are the names of all fields below a type, but for those that are
// structs themselves.
func fieldsOf(of reflect.Type, names map[string]bool) map[string]bool {
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice:
		return fieldsOf(of.Elem(), names)
	case reflect.Struct:
		for i := range of.NumField() {
			f := of.Field(i)
			if f.Type == reflect.TypeFor[*wire.Texts]() {
				continue // where texts lie, not what they are
			}
			if name := of.Name() + "." + f.Name; f.Type.Kind() == reflect.Struct {
				fieldsOf(f.Type, names)
			} else if !names[name] {
				names[name] = true
				fieldsOf(f.Type, names)
			}
		}
	}
	return names
}

func TestExtras(t *testing.T) {
	with := func(f func(*wire.Request)) Digest {
		req := full()
		f(req)
		return requestDigest(req)
	}
	met := map[Digest]string{with(func(*wire.Request) {}): "none"}
	for name, f := range map[string]func(*wire.Request){
		"state's name": func(r *wire.Request) { r.State[0].Name = "o" },
		"state":        func(r *wire.Request) { r.State[0].Raw = "1" },
		"no state":     func(r *wire.Request) { r.State = nil },
		"extra's name": func(r *wire.Request) { r.Extra[0].Name = "o" },
		"extra":        func(r *wire.Request) { r.Extra[0].Raw = "1" },
		"a dialect's":  func(r *wire.Request) { r.Dialect = wire.Gemini },
		"one more":     func(r *wire.Request) { r.Extra = append(r.Extra, wire.Extra{Name: "a", Raw: "1"}) },
	} {
		d := with(f)
		if other, ok := met[d]; ok {
			t.Errorf("%s and %s have one digest", name, other)
		}
		met[d] = name
	}
	reversed := func(r *wire.Request) {
		r.Extra = []wire.Extra{{Name: "a", Raw: "1"}, {Name: "n", Raw: `{ "a" : 1.0 }`}}
	}
	if name := met[with(reversed)]; name != "one more" {
		t.Errorf("the order of members matters: %q", name)
	}
	if name := met[with(func(r *wire.Request) { r.Extra = append(r.Extra, wire.Extra{Name: "user", Raw: `"u"`}) })]; name != "none" {
		t.Error("a second user matters")
	}
	if name := met[with(func(r *wire.Request) { r.Echo[0].Raw = "1" })]; name != "none" {
		t.Error("an echo matters")
	}
}

// TestCalls has the ids of calls changed, all and one.
func TestCalls(t *testing.T) {
	calls := func(first, second, answered string) Digest {
		return requestDigest(&wire.Request{Messages: []wire.Message{
			{Role: wire.RoleAssistant, Blocks: []wire.Block{
				{Type: wire.CallBlock, Call: &wire.Call{ID: first, Name: "f"}},
				{Type: wire.CallBlock, Call: &wire.Call{ID: second, Name: "f"}},
			}},
			{Blocks: []wire.Block{{Type: wire.ResultBlock, Result: &wire.Result{CallID: answered, Name: "f"}}}},
		}})
	}
	if calls("1", "2", "1") != calls("x", "y", "x") {
		t.Error("ids matter")
	}
	for name, d := range map[string]Digest{"another": calls("1", "2", "2"), "none": calls("1", "2", "3"), "both": calls("1", "1", "1")} {
		if d == calls("1", "2", "1") {
			t.Errorf("it does not matter which call is answered: %s", name)
		}
	}
}
