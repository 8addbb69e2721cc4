package form

import (
	"bytes"
	"errors"
	"io"

	"github.com/weirproxy/weir/internal/sse"
)

// events hands the events of a stream to read, until it returns an error. One
// that the stream ends within is an event too.
func events(body []byte, read func(*sse.Event) error) error {
	reader := sse.NewReader(bytes.NewReader(body), max(len(body), 1))
	var ev sse.Event
	for {
		err := reader.Next(&ev)
		switch {
		case err == nil, errors.Is(err, io.ErrUnexpectedEOF) && len(ev.Raw) > 0:
		case errors.Is(err, io.EOF):
			return nil
		default:
			return err
		}
		if !ev.HasData {
			continue
		}
		if err := read(&ev); err != nil {
			return err
		}
	}
}
