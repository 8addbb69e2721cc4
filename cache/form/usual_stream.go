package form

import (
	"bytes"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// usualStream is usual for a stream: events of one choice that add to one text, its
// end, and perhaps what it used.
type usualStream struct {
	data  []byte // of the present event
	said  bool   // something
	ended bool   // the choice, with `stop`
	done  bool   // the stream
}

var doneData = []byte("[DONE]")

// read reports whether the stream is plainly that, and whole.
func (u *usualStream) read(f cache.Form) bool {
	stream := frames{body: f.Body}
	for at, ok := stream.next(); ok; at, ok = stream.next() {
		// An event is one line of data, and nothing follows the last.
		if u.done || at.several || at.From < 0 || at.From > at.Start+len("data: ") || len(bytes.TrimSpace(f.Body[at.To:at.End])) > 0 {
			return false
		}
		data := at.data(f.Body)
		switch {
		case bytes.Equal(data, doneData):
			u.done = true
		case !u.event(data):
			return false
		}
	}
	return u.done && u.ended && u.said && cutOff(f) == nil
}

// event reports whether an event is known through and through. Some are passed on by
// a look at their pattern alone, so that nothing is taken for granted here.
func (u *usualStream) event(data []byte) bool {
	root, err := wire.ParseAnswer(data)
	if err != nil || root.Kind != jsonscan.ObjectKind {
		return false
	}
	u.data = data
	choices, known := jsonscan.Value{}, true
	for key, v := range jsonscan.Members(data, root) {
		switch string(key.Raw(data)) {
		case `"choices"`:
			known = known && choices.Kind == jsonscan.Invalid
			choices = v
		case `"id"`, `"object"`, `"created"`, `"model"`, `"usage"`, `"system_fingerprint"`, `"service_tier"`, `"obfuscation"`, `"p"`:
		default:
			known = known && v.Kind == jsonscan.Null
		}
	}
	if !known || choices.Kind != jsonscan.Array {
		return false
	}
	n := 0
	for choice := range jsonscan.Elements(data, choices) {
		if n++; n > 1 || !u.choice(choice) {
			return false
		}
	}
	return true
}

// choice reports whether an event's choice is the only one, and goes on with a text
// or ends it.
func (u *usualStream) choice(choice jsonscan.Value) bool {
	delta, reason, index, known := jsonscan.Value{}, jsonscan.Value{}, jsonscan.Value{}, !u.ended
	for key, v := range jsonscan.Members(u.data, choice) {
		at := &delta
		switch string(key.Raw(u.data)) {
		case `"delta"`:
		case `"finish_reason"`:
			at = &reason
		case `"index"`:
			at = &index
		default:
			known = known && v.Kind == jsonscan.Null
			continue
		}
		known = known && at.Kind == jsonscan.Invalid
		*at = v
	}
	switch {
	case !known, string(index.Raw(u.data)) != "0", delta.Kind != jsonscan.ObjectKind:
		return false
	case string(reason.Raw(u.data)) == `"stop"`:
		u.ended = true
	case reason.Exists() && reason.Kind != jsonscan.Null:
		return false
	}
	content := jsonscan.Value{}
	for key, v := range jsonscan.Members(u.data, delta) {
		switch string(key.Raw(u.data)) {
		case `"content"`:
			known = known && content.Kind == jsonscan.Invalid && (v.Kind == jsonscan.String || v.Kind == jsonscan.Null)
			content = v
		case `"role"`:
			known = known && string(v.Raw(u.data)) == `"assistant"`
		default:
			known = known && v.Kind == jsonscan.Null
		}
	}
	u.said = u.said || content.Kind == jsonscan.String && content.End-content.Start > len(`""`)
	return known
}
