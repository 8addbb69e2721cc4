package form

import (
	"errors"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/responses"
)

// errSeveral is for an event whose JSON has line ends: its places are not those
// of the stream.
var errSeveral = errors.New("an event has more than one line of data")

// lastResponse is the response object that a stream of Responses ends with: the
// very answer that a client without a stream gets. ok is false when it is not
// complete there.
func lastResponse(f cache.Form) (whole cache.Form, ok bool) {
	items := false
	stream := frames{body: f.Body}
	for at, more := stream.next(); more; at, more = stream.next() {
		data := at.data(f.Body)
		root, err := wire.ParseAnswer(data)
		if err != nil || at.several {
			continue
		}
		switch kind := jsonscan.Lookup(data, root, "type"); {
		case kind.Is(data, "response.output_item.added"), kind.Is(data, "response.output_item.done"):
			items = true
		case kind.Is(data, "response.completed"), kind.Is(data, "response.incomplete"):
			v := jsonscan.Lookup(data, root, "response")
			for range jsonscan.Elements(data, jsonscan.Lookup(data, v, "output")) {
				items = false
				break
			}
			ok = v.Kind == jsonscan.ObjectKind && !items
			if ok {
				whole = cache.Form{Operation: f.Operation, Body: v.Raw(data)}
			}
		}
	}
	return whole, ok
}

// streamed is a whole answer of Responses as a stream.
func streamed(f cache.Form) (cache.Form, error) {
	body, err := responses.AppendStream(make([]byte, 0, 6*len(f.Body)), f.Body)
	if err != nil {
		return cache.Form{}, err
	}
	return cache.Form{Operation: f.Operation, Stream: true, Body: body}, nil
}
