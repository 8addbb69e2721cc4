package form

import (
	"errors"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
	"github.com/weirproxy/weir/wire/openai"
)

// withUsage drops the usage chunk of a stream of chat or completions, or adds
// it. Nothing else changes.
func withUsage(a *cache.Answer, usage bool) (cache.Form, error) {
	f := a.Form
	f.Usage = usage
	if !usage {
		f.Body = withoutUsage(f.Body)
		return f, nil
	}
	report := wire.Report{Usage: a.Usage, Reported: !a.Usage.IsZero()}
	if a.Canonical != nil {
		res, err := Unmarshal(a.Canonical)
		if err != nil {
			return cache.Form{}, err
		}
		if res.Usage.Reported {
			report = res.Usage
		}
	}
	if !report.Reported {
		return f, nil // nobody knows, as the upstream did not say
	}
	var (
		seen     wire.Seen
		observer = doors.Of(f.Operation).Observer()
	)
	stream := frames{body: a.Form.Body}
	for at, ok := stream.next(); ok; at, ok = stream.next() {
		data := at.data(a.Form.Body)
		if openai.IsDone(data) {
			body := make([]byte, 0, len(a.Form.Body)+512)
			body = append(body, a.Form.Body[:at.Start]...)
			body = openai.AppendUsage(body, f.Operation, &seen, &report)
			f.Body = append(body, a.Form.Body[at.Start:]...)
			return f, nil
		}
		if len(data) > 0 && (seen.ID == "" || seen.Created == "" || seen.Model == "") {
			if _, err := observer.Event(&sse.Event{Data: data, HasData: true}, &seen); err != nil {
				return cache.Form{}, err
			}
		}
	}
	return cache.Form{}, errors.New("adding usage to kept answer: the stream has no end")
}

// withoutUsage is a stream without its chunks that tell usage and nothing else.
func withoutUsage(body []byte) []byte {
	out := make([]byte, 0, len(body))
	stream := frames{body: body}
	for at, ok := stream.next(); ok; at, ok = stream.next() {
		if !tellsUsage(at.data(body)) {
			out = append(out, body[at.Start:at.End]...)
		}
	}
	return out
}

func tellsUsage(data []byte) bool {
	root, err := wire.ParseAnswer(data)
	if err != nil || jsonscan.Lookup(data, root, "usage").Kind != jsonscan.ObjectKind {
		return false
	}
	for range jsonscan.Elements(data, jsonscan.Lookup(data, root, "choices")) {
		return false
	}
	return true
}
