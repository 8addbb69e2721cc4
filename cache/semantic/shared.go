package semantic

import (
	"context"
	"sync"
	"time"

	"github.com/weirproxy/weir/cache"
)

// Backend finds rows, wherever they are kept.
type Backend interface {
	// Search returns the most similar row that is not below the threshold and that
	// the guard allows. A store that fails or is slow finds less; it is no error.
	Search(ctx context.Context, p Partition, q *Query, threshold float32) (Match, bool)

	// Nearest returns the most similar row at any similarity.
	Nearest(ctx context.Context, p Partition, q *Query) (Match, bool)

	// Add keeps a row, and Remove forgets one whose answer is gone.
	Add(p Partition, row Row) error
	Remove(p Partition, key cache.Key)
}

// Log keeps each partition's rows in the order in which they came, for all
// instances of a fleet.
type Log interface {
	// Rows returns rows that came after a place, the oldest first, at most limit,
	// and the place of the last of them. The place "" is before all.
	Rows(ctx context.Context, p Partition, after string, limit int) (rows [][]byte, last string, err error)

	// AppendRow adds a row that counts for a time. It returns at once: what cannot
	// be sent is lost, which false tells. Key and vector, of unit length, are the
	// row's, for a log that can find it by them.
	AppendRow(p Partition, key cache.Key, vector []float32, row []byte, ttl time.Duration) bool
}

// Finder is a Log that may be able to search itself.
type Finder interface {
	// Find returns the rows of a partition that are the most similar to a vector of
	// unit length, at most limit. When known is false it cannot search, and its
	// rows are to be read.
	Find(ctx context.Context, p Partition, vector []float32, limit int) (rows [][]byte, known bool, err error)
}

// Local is an Index of one instance.
type Local struct{ *Index }

// Search implements Backend.
func (l Local) Search(_ context.Context, p Partition, q *Query, threshold float32) (Match, bool) {
	return l.Index.Search(p, q, threshold)
}

// Nearest implements Backend.
func (l Local) Nearest(_ context.Context, p Partition, q *Query) (Match, bool) {
	return l.Index.Nearest(p, q)
}

const (
	// pageRows is how many rows one look-up takes over from the log; those of a
	// partition that is new to the instance come with as many look-ups.
	pageRows = 128

	// candidates is how many rows a store that searches is asked for: the guard
	// may not allow the first.
	candidates = 8

	// maxPlaces is of how many partitions it is known how far they were read.
	// Others are read from the beginning again, which changes nothing but time.
	maxPlaces = 1 << 16
)

// Shared is an Index that takes over what other instances add: before a search
// it reads the partition's rows that are new in the log, one round trip that
// mostly returns nothing, and searches in memory. An outage of the log leaves
// what the instance knows already. A store that can search is asked for what is
// the most similar instead, when nothing in memory is; what it finds is taken
// over and judged here, by the same arithmetic.
type Shared struct {
	index  *Index
	log    Log
	finder Finder
	secret []byte

	mu     sync.Mutex
	places map[Partition]string
}

// NewShared returns a Backend over index and log. With a secret, rows of those
// who do not have it are passed over.
func NewShared(index *Index, log Log, secret []byte) *Shared {
	finder, _ := log.(Finder)
	return &Shared{index: index, log: log, finder: finder, secret: secret, places: map[Partition]string{}}
}

// Search implements Backend.
func (s *Shared) Search(ctx context.Context, p Partition, q *Query, threshold float32) (Match, bool) {
	if s.finder != nil {
		// What is known already needs no question.
		if found, ok := s.index.Search(p, q, threshold); ok {
			return found, true
		}
	}
	s.follow(ctx, &p, q.Vector)
	return s.index.Search(p, q, threshold)
}

// Nearest implements Backend.
func (s *Shared) Nearest(ctx context.Context, p Partition, q *Query) (Match, bool) {
	s.follow(ctx, &p, q.Vector)
	return s.index.Nearest(p, q)
}

// Add implements Backend. Other instances find the row a moment later.
func (s *Shared) Add(p Partition, row Row) error {
	if err := s.index.Add(p, row); err != nil {
		return err
	}
	if ttl := row.Expires.Sub(s.index.options.Now()); ttl > 0 {
		s.log.AppendRow(p, row.Key, unit(nil, row.Vector), appendRow(nil, s.secret, &p, &row), ttl)
	}
	return nil
}

// Remove implements Backend. Other instances find out for themselves: they ask
// for the same answer.
func (s *Shared) Remove(p Partition, key cache.Key) { s.index.Remove(p, key) }

// follow takes over rows from the log: those that are the most similar, or a
// page of those that are new.
func (s *Shared) follow(ctx context.Context, p *Partition, vector []float32) {
	if s.finder != nil && norm(vector) > 0 {
		rows, known, err := s.finder.Find(ctx, *p, unit(nil, vector), candidates)
		if known || err != nil {
			s.take(p, rows)
			return
		}
	}
	s.mu.Lock()
	after := s.places[*p]
	s.mu.Unlock()
	if after != "" && s.index.partition(p) == nil {
		after = "" // it was evicted
	}
	rows, last, err := s.log.Rows(ctx, *p, after, pageRows)
	if err != nil || len(rows) == 0 {
		return
	}
	s.take(p, rows)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.places[*p]; !known && len(s.places) >= maxPlaces {
		for other := range s.places {
			delete(s.places, other) // any
			break
		}
	}
	s.places[*p] = last
}

func (s *Shared) take(p *Partition, rows [][]byte) {
	for _, raw := range rows {
		if row, err := readRow(raw, s.secret, p); err == nil {
			// A vector of another size is another embedder's: its writer is wrong.
			_ = s.index.Add(*p, row)
		}
	}
}

// Interface guards.
var (
	_ Backend = Local{}
	_ Backend = (*Shared)(nil)
)
