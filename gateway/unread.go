package gateway

import "sync"

// unread is generated text that has not been counted. Most answers end with their
// vendor's own count, and need none of ours.
type unread struct{ text []byte }

// The text of most answers fits into the first size; of longer ones the second
// is counted whenever it is full. A stream keeps one of them while it is open.
const (
	unreadFirst = 1 << 10
	unreadMost  = 8 << 10
)

// smallUnread and largeUnread hold *unread with empty texts.
var (
	smallUnread = sync.Pool{New: func() any { return &unread{make([]byte, 0, unreadFirst)} }}
	largeUnread = sync.Pool{New: func() any { return &unread{make([]byte, 0, unreadMost)} }}
)

func (u *unread) release() {
	if u.text = u.text[:0]; cap(u.text) == unreadFirst {
		smallUnread.Put(u)
	} else {
		largeUnread.Put(u)
	}
}

// collect keeps generated text as it arrives, for streams that end before their
// usage report, and for limits that cut.
func (a *Attempt) collect(text []byte) {
	if a.exchange.settled {
		return // whatever it is, nobody asks for it any more
	}
	if a.unread == nil {
		a.unread = smallUnread.Get().(*unread)
	}
	n := len(a.unread.text) + len(text)
	if n > cap(a.unread.text) && cap(a.unread.text) == unreadFirst {
		large := largeUnread.Get().(*unread)
		large.text = append(large.text, a.unread.text...)
		a.unread.release()
		a.unread = large
	}
	if n > cap(a.unread.text) {
		a.readLocked()
		if len(text) > unreadMost {
			a.output.Add(text)
			return
		}
	}
	a.unread.text = append(a.unread.text, text...)
}

// readLocked counts what is unread.
func (a *Attempt) readLocked() {
	if a.output == nil {
		a.output = a.exchange.gateway.tokens.Output(a.exchange.counted(a.Target))
	}
	if len(a.unread.text) > 0 {
		a.output.Add(a.unread.text)
		a.unread.text = a.unread.text[:0]
	}
}

// countedLocked is the count of all text so far; nil where there is none.
func (a *Attempt) countedLocked() OutputCounter {
	if a.unread != nil && len(a.unread.text) > 0 {
		a.readLocked()
	}
	return a.output
}

// forgetLocked gives the unread text up, when the record is made.
func (a *Attempt) forgetLocked() {
	if a.unread != nil {
		a.unread.release()
		a.unread = nil
	}
}
