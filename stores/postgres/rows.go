package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/cache/semantic"
)

const (
	// maxRows is how many rows the database keeps of a partition.
	maxRows = 2000

	// maxRowPuts is how many rows wait to be sent. More are lost.
	maxRowPuts = 256

	// rowsTogether is how many are sent at once.
	rowsTogether = 32
)

// rowPut is a row that waits.
type rowPut struct {
	partition semantic.Partition
	key       cache.Key
	vector    []float32
	row       []byte
	until     time.Time
}

// Rows implements semantic.Log, within the deadline of the cache. Places are
// numbers of rows.
func (c *Cache) Rows(ctx context.Context, p semantic.Partition, after string, limit int) (rows [][]byte, last string, err error) {
	if !c.breaker.Allow() {
		return nil, "", errAway
	}
	place := int64(0)
	if after != "" {
		if place, err = strconv.ParseInt(after, 10, 64); err != nil {
			return nil, "", fmt.Errorf("asking postgresql for rows: %w", err)
		}
	}
	bounded, cancel := c.bound(ctx)
	defer cancel()
	found, err := c.pool.Query(bounded, c.names.rows, p[:], place, limit)
	if err == nil {
		var row []byte
		_, err = pgx.ForEachRow(found, []any{&place, &row}, func() error {
			rows, last = append(rows, row), strconv.FormatInt(place, 10)
			return nil
		})
	}
	c.judge(ctx, err)
	if err != nil {
		return nil, "", fmt.Errorf("asking postgresql for rows: %w", err)
	}
	return rows, last, nil
}

// AppendRow implements semantic.Log.
func (c *Cache) AppendRow(p semantic.Partition, key cache.Key, vector []float32, row []byte, ttl time.Duration) bool {
	now := c.clock()
	if !c.writes(now) {
		return false
	}
	select {
	case c.rows <- rowPut{p, key, vector, row, now.Add(ttl)}:
		return true
	default:
		return false
	}
}

// deliverRows sends what waits, until Close.
func (c *Cache) deliverRows() {
	for {
		select {
		case <-c.background.Done():
			return
		case first := <-c.rows:
			all := []rowPut{first}
			for len(all) < rowsTogether && len(c.rows) > 0 {
				all = append(all, <-c.rows)
			}
			// What cannot be sent is lost.
			_ = c.sendRows(all)
		}
	}
}

// sendRows adds rows and takes away those that are too many in their partitions.
func (c *Cache) sendRows(all []rowPut) error {
	now := c.clock()
	if !c.writes(now) {
		return errAway
	}
	// The last of those with the same key counts, and all instances lock in the
	// same order.
	slices.SortStableFunc(all, func(a, b rowPut) int {
		if order := bytes.Compare(a.partition[:], b.partition[:]); order != 0 {
			return order
		}
		return bytes.Compare(a.key[:], b.key[:])
	})
	var b rowBatch
	for i := range all {
		r := &all[i]
		left := r.until.Sub(now).Milliseconds()
		if left > 0 && (i+1 == len(all) || all[i+1].partition != r.partition || all[i+1].key != r.key) {
			b.add(r, left)
		}
	}
	if len(b.keys) == 0 {
		return nil
	}
	return c.write(func(ctx context.Context, tx pgx.Tx) error { return c.addRows(ctx, tx, &b) })
}

// rowBatch are the columns of rows that are added at once, and their partitions.
type rowBatch struct {
	of, keys, rows [][]byte
	lives          []int64
	dims           []int32
	vectors        []*string
	partitions     [][]byte
}

func (b *rowBatch) add(r *rowPut, left int64) {
	if n := len(b.of); n == 0 || !bytes.Equal(b.of[n-1], r.partition[:]) {
		b.partitions = append(b.partitions, r.partition[:])
	}
	b.of, b.keys, b.rows, b.lives = append(b.of, r.partition[:]), append(b.keys, r.key[:]), append(b.rows, r.row), append(b.lives, left)
	b.dims, b.vectors = append(b.dims, int32(len(r.vector))), append(b.vectors, literal(r.vector)) //nolint:gosec // 65535 at most
}

func (c *Cache) addRows(ctx context.Context, tx pgx.Tx, b *rowBatch) error {
	// Rows of a partition become visible in the order of their numbers: whoever has
	// read up to one misses none before it.
	locks := make([]int32, len(b.partitions))
	for i, p := range b.partitions {
		locks[i] = int32(binary.LittleEndian.Uint32(p)) //nolint:gosec // any 32 bits
	}
	slices.Sort(locks)
	for _, lock := range slices.Compact(locks) {
		if _, err := tx.Exec(ctx, c.names.lockRows, c.names.locks, lock); err != nil {
			return err
		}
	}
	var err error
	if v := c.vectors.Load(); v != nil {
		_, err = tx.Exec(ctx, v.add, b.of, b.keys, b.lives, b.dims, b.rows, b.vectors)
	} else {
		_, err = tx.Exec(ctx, c.names.addRows, b.of, b.keys, b.lives, b.dims, b.rows)
	}
	if err != nil {
		return err
	}
	for _, p := range b.partitions {
		if _, err := tx.Exec(ctx, c.names.trimRows, p, maxRows); err != nil {
			return err
		}
	}
	return nil
}

// Interface guard.
var _ semantic.Log = (*Cache)(nil)
