package weirtest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway"
)

func init() {
	caddy.RegisterModule(sink{})
}

// current is the recorder of the gateway that runs: Caddy is one per process.
var current atomic.Pointer[Recorder]

// sink is the usage sink `weirtest`.
type sink struct{}

// CaddyModule returns the Caddy module information.
func (sink) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "ai.usage.weirtest", New: func() caddy.Module { return new(sink) }}
}

// UnmarshalCaddyfile implements caddyfile.Unmarshaler.
func (*sink) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	return nil
}

// Record implements gateway.UsageSink.
func (sink) Record(r *gateway.Record) { current.Load().add(r) }

// Recorder keeps usage records.
type Recorder struct {
	mu      sync.Mutex
	changed *sync.Cond
	records []*gateway.Record
}

func newRecorder() *Recorder {
	r := &Recorder{}
	r.changed = sync.NewCond(&r.mu)
	return r
}

func (r *Recorder) add(record *gateway.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records = append(r.records, record)
	r.changed.Broadcast()
}

// All returns the records so far.
func (r *Recorder) All() []*gateway.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*gateway.Record(nil), r.records...)
}

// patience bounds every wait in tests; nothing is timed by it.
const patience = 20 * time.Second

// Wait returns the first n records as soon as there are as many; it fails the
// test when they do not come.
func (r *Recorder) Wait(t testing.TB, n int) []*gateway.Record {
	t.Helper()
	timer := time.AfterFunc(patience, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.changed.Broadcast()
	})
	defer timer.Stop()
	deadline := time.Now().Add(patience)
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.records) < n {
		if !time.Now().Before(deadline) {
			t.Fatalf("%d records came, want %d", len(r.records), n)
		}
		r.changed.Wait()
	}
	return append([]*gateway.Record(nil), r.records[:n]...)
}

// Interface guards.
var (
	_ gateway.UsageSink     = sink{}
	_ caddyfile.Unmarshaler = (*sink)(nil)
)
