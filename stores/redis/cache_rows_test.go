package redis

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/cache/semantic"
	"github.com/weirproxy/weir/internal/redistest"
)

// TestSemanticRows has instances of a fleet find each other's rows, in their
// partition alone, on every server that is supported.
func TestSemanticRows(t *testing.T) {
	programs(t, func(t *testing.T, program redistest.Program) {
		server := program.Start(t)
		// instance is a gateway with an index of its own.
		instance := func(secret string) (*semantic.Shared, *Cache) {
			r := remote(t, server.URL)
			return semantic.NewShared(semantic.New(semantic.Options{}), r, []byte(secret)), r
		}
		a, through := instance("secret")
		b, _ := instance("secret")
		stranger, _ := instance("another")
		p, other := semantic.Partition{1}, semantic.Partition{2}
		features := semantic.Read("How do I reset my password?")
		row := semantic.Row{Key: cache.Key{1, 2, 3}, Vector: []float32{3, 4, 0}, Features: features, Expires: time.Now().Add(time.Hour)}
		if err := a.Add(p, row); err != nil {
			t.Fatal(err)
		}
		q := &semantic.Query{Vector: []float32{3, 4.1, 0}, Features: features}
		eventually(t, "the row", func() bool {
			got, ok := b.Search(background, p, q, 0.95)
			return ok && got.Key == row.Key && got.Similarity > 0.99
		})
		for _, threshold := range []float32{-1, 0, 0.9} {
			if got, ok := b.Search(background, other, q, threshold); ok {
				t.Errorf("%v from another partition", got)
			}
		}
		if got, ok := stranger.Search(background, p, q, 0.95); ok {
			t.Errorf("a row of another secret counts: %v", got)
		}
		name := through.rows(p)
		if ttl := server.Must("PTTL " + name); ttl < ":3500000" || ttl > ":3600000" {
			t.Errorf("its life is %s", ttl)
		}
		// Rows that were to live as long, and have expired, are taken away.
		server.Must(fmt.Sprintf("XADD %s 1-1 r old", name+"x"))
		server.Must(fmt.Sprintf("DEL %s", name))
		server.Must(fmt.Sprintf("XADD %s 1-1 r old", name))
		row.Key = cache.Key{4}
		if err := a.Add(p, row); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the second row alone", func() bool {
			rows, last, err := through.Rows(background, p, "", 10)
			if err != nil {
				t.Fatal(err)
			}
			return len(rows) == 1 && !strings.HasPrefix(last, "1-")
		})
		rows, last, err := through.Rows(background, p, "", 10)
		if err != nil || len(rows) != 1 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		if rows, _, err := through.Rows(background, p, last, 10); err != nil || len(rows) != 0 {
			t.Errorf("after the last: %d rows, %v", len(rows), err)
		}
	})
}

// TestSemanticRowsBounded holds that a partition does not grow without end, and
// that one read is a part.
func TestSemanticRowsBounded(t *testing.T) {
	server := redistest.Start(t)
	r := remote(t, server.URL)
	p := semantic.Partition{1}
	until := time.Now().Add(time.Hour)
	for i := range maxRows + 500 {
		r.sendRow(rowPut{partition: p, row: fmt.Appendf(nil, "row %d", i), until: until})
	}
	length := server.Must("XLEN " + r.rows(p))
	var n int
	if _, err := fmt.Sscanf(length, ":%d", &n); err != nil || n < maxRows || n > maxRows+200 {
		t.Errorf("%s rows, about %d are allowed", length, maxRows)
	}
	rows, _, err := r.Rows(background, p, "", 7)
	if err != nil || len(rows) != 7 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// TestSemanticRowsAway holds that without the server the index goes on, and
// nobody waits.
func TestSemanticRowsAway(t *testing.T) {
	server := redistest.Start(t)
	r := remote(t, server.URL)
	s := semantic.NewShared(semantic.New(semantic.Options{}), r, nil)
	p := semantic.Partition{1}
	row := semantic.Row{Key: cache.Key{1}, Vector: []float32{1, 0}, Expires: time.Now().Add(time.Hour)}
	server.Stop()
	r.breaker.Trip()
	if _, _, err := r.Rows(background, p, "", 1); !errors.Is(err, errAway) {
		t.Errorf("got %v", err)
	}
	if r.AppendRow(p, cache.Key{}, nil, []byte("row"), time.Hour) {
		t.Error("a row was taken")
	}
	if err := s.Add(p, row); err != nil {
		t.Fatal(err)
	}
	if got, ok := s.Search(background, p, &semantic.Query{Vector: []float32{1, 0}}, 0.9); !ok || got.Key != row.Key {
		t.Errorf("got %v %v", got, ok)
	}
}
