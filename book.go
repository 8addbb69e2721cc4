package weir

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/records/journal"
	"github.com/weirproxy/weir/records/ledger"
)

// book is the usage ledger of a configuration: the journal on disk that every
// record goes to first, and the store that it is delivered to.
type book struct {
	diary *diary
	store ledger.Store
	asked bool // the configuration names it, so that it must not be missing
}

// diary is the process's one journal of a directory. It is opened when an app
// starts, or by the request that comes before that, since apps start in any
// order; a configuration that is only validated leaves nothing on the disk.
type diary struct {
	dir    string
	logger *slog.Logger

	opened atomic.Pointer[journal.Journal]
	mu     sync.Mutex
	failed error // why it could not be opened
	closed bool
}

// open opens the journal if it is not open; it tries again after a failure.
func (d *diary) open() (*journal.Journal, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if j := d.opened.Load(); j != nil {
		return j, nil
	}
	if d.closed {
		return nil, journal.ErrClosed
	}
	j, err := journal.Open(journal.Options{Dir: d.dir, Now: time.Now, Logger: d.logger})
	if err != nil {
		d.failed = err
		return nil, err
	}
	d.failed = nil
	d.opened.Store(j)
	return j, nil
}

// journal is the journal, nil when it could not be opened.
func (d *diary) journal() *journal.Journal {
	if j := d.opened.Load(); j != nil {
		return j
	}
	d.mu.Lock()
	failed := d.failed
	d.mu.Unlock()
	if failed != nil {
		return nil // said already, and an app's start tries again
	}
	j, err := d.open()
	if err != nil && !errors.Is(err, journal.ErrClosed) {
		d.logger.Error("requests make no usage rows", slog.String("error", err.Error()))
	}
	return j
}

// Destruct implements caddy.Destructor. What has not been delivered waits on
// disk for the next process.
func (d *diary) Destruct() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	j := d.opened.Load()
	if j == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	return j.Close(ctx)
}

// Record implements gateway.UsageSink. What no upstream was asked for is no
// entry, since refusals cost nothing, but for answers that need not be paid for
// again: finance wants to know what they saved.
func (b *book) Record(r *gateway.Record) {
	if r.Attempts == 0 && !gateway.Free(r.Cache) {
		return
	}
	if j := b.diary.journal(); j != nil {
		j.Record(r)
	}
}

// release lets go of the journal.
func (b *book) release() error {
	if b == nil {
		return nil
	}
	if _, err := pool.Delete(b.diary.dir); err != nil {
		return fmt.Errorf("closing the journal: %w", err)
	}
	return nil
}

// Began implements handlers.Host. When it returns, the exchange's row is safe
// from the process's death, with its prompt, which is spent once it is sent.
func (a *App) Began(x *gateway.Exchange) {
	if a.book == nil {
		return
	}
	j := a.book.diary.journal()
	if j == nil {
		return
	}
	var record gateway.Record
	x.Outset(&record)
	if err := j.Open(ledger.FromRecord(&record)); err != nil {
		a.logger.Warn("journal: " + err.Error())
	}
}

// Went implements handlers.Host.
func (a *App) Went(x *gateway.Exchange) {
	if a.book == nil {
		return
	}
	if j := a.book.diary.journal(); j != nil {
		var draft gateway.Record
		x.Draft(&draft)
		j.Checkpoint(draft.RequestID, ledger.Progress{Usage: draft.Usage, CostNano: draft.Cost.Total, BytesOut: draft.BytesOut})
	}
}

// LedgerFails implements handlers.Host.
func (a *App) LedgerFails() bool {
	if a.book == nil {
		return false
	}
	j := a.book.diary.journal()
	if j == nil {
		return a.book.asked
	}
	return j.Degraded()
}

// Interface guard.
var _ gateway.UsageSink = (*book)(nil)
