package journal

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/weirproxy/weir/records/ledger"
)

var errDown = errors.New("connection refused")

// fakeStore is a store that may be down, lose its answers, or refuse rows.
type fakeStore struct {
	mu      sync.Mutex
	rows    map[string]ledger.Row
	puts    int
	down    bool
	lies    func() bool // whether an answer is lost after the rows were taken
	dead    <-chan struct{}
	refused string
	retains int
}

func newFakeStore() *fakeStore { return &fakeStore{rows: map[string]ledger.Row{}} }

func (s *fakeStore) Put(_ context.Context, rows []ledger.Row) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.dead:
		return errDown
	default:
	}
	s.puts++
	if s.down {
		return errDown
	}
	for _, r := range rows {
		if s.refused != "" && r.RequestID == s.refused {
			return ledger.ErrRejected
		}
	}
	for _, r := range rows {
		if _, ok := s.rows[r.RequestID]; !ok {
			s.rows[r.RequestID] = r
		}
	}
	if s.lies != nil && s.lies() {
		return errDown
	}
	return nil
}

func (s *fakeStore) Query(context.Context, ledger.Query) ([]ledger.Sum, error) { return nil, nil }

func (s *fakeStore) Retain(context.Context, time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retains++
	return nil
}

func (*fakeStore) Close() error { return nil }

func (s *fakeStore) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *fakeStore) get(id string) (ledger.Row, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.rows[id]
	return r, ok
}

func (s *fakeStore) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.rows)
}
