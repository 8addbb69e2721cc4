package journal

import "github.com/weirproxy/weir/records/ledger"

// running is a request between Open and Append.
type running struct {
	row      ledger.Row
	progress ledger.Progress
}

// maxIdle is how many running are kept for requests to come.
const maxIdle = 256

// enter notes a request as open; the lock is held.
func (j *Journal) enter(row *ledger.Row) {
	r := j.inflight[row.RequestID]
	switch n := len(j.idle); {
	case r != nil:
	case n > 0:
		r, j.idle = j.idle[n-1], j.idle[:n-1]
	default:
		r = new(running)
	}
	r.row, r.progress = *row, row.Progress()
	j.inflight[row.RequestID] = r
}

// leave notes that a request is open no more, and reports whether it was; the
// lock is held.
func (j *Journal) leave(id string) bool {
	r := j.inflight[id]
	if r == nil {
		return false
	}
	delete(j.inflight, id)
	if len(j.idle) < maxIdle {
		j.idle = append(j.idle, r)
	}
	return true
}
