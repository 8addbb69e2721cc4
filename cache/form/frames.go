package form

import "bytes"

// frames are the events of a stream as it is kept: its lines end in LF or CRLF,
// as the relay sees to. Nothing is copied, and nothing allocated.
type frames struct {
	body []byte
	at   int
}

// frame is an event of a kept stream. Start and End are its place, with the
// blank line behind it, and From and To that of its data; From is -1 where it
// has none.
type frame struct {
	Start, End int
	From, To   int

	// several says that the data has more than one line, so that it does not
	// stand in one place.
	several bool
}

var dataField = []byte("data:")

// next finds the next event; ok is false behind the last.
func (r *frames) next() (f frame, ok bool) {
	body := r.body
	f = frame{Start: r.at, From: -1}
	for r.at < len(body) {
		end := len(body)
		if n := bytes.IndexByte(body[r.at:], '\n'); n >= 0 {
			end = r.at + n + 1
		}
		line := bytes.TrimRight(body[r.at:end], "\r\n")
		if bytes.HasPrefix(line, dataField) {
			f.several = f.From >= 0
			f.From, f.To = r.at+len(dataField), r.at+len(line)
			if f.From < f.To && body[f.From] == ' ' {
				f.From++
			}
		}
		if r.at = end; len(line) == 0 {
			break
		}
	}
	f.End = r.at
	return f, f.End > f.Start
}

// data is the event's data; empty where it has none.
func (f *frame) data(body []byte) []byte {
	if f.From < 0 {
		return nil
	}
	return body[f.From:f.To]
}
