package redis

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/cache/semantic"
)

const (
	// maxRows is about how many rows the server keeps of a partition.
	maxRows = 2000

	// maxRowPuts is how many rows wait to be sent. More are lost.
	maxRowPuts = 256
)

// rowPut is a row that waits.
type rowPut struct {
	partition semantic.Partition
	key       cache.Key
	vector    []float32
	row       []byte
	until     time.Time
}

// rows is the name of a partition's stream. Streams of different partitions are
// on different nodes of a Cluster.
func (c *Cache) rows(p semantic.Partition) string {
	return c.prefix + "{" + base64.RawURLEncoding.EncodeToString(p[:]) + "}:rows"
}

// rowField is the one field of a stream's entries.
const rowField = "r"

// Rows implements semantic.Log, within the deadline of the cache. Places are ids
// of a stream.
func (c *Cache) Rows(ctx context.Context, p semantic.Partition, after string, limit int) (rows [][]byte, last string, err error) {
	client := c.up()
	if client == nil {
		return nil, "", errAway
	}
	from := "-"
	if after != "" {
		from = "(" + after
	}
	bounded, cancel := context.WithTimeout(ctx, time.Duration(c.deadline.Load()))
	defer cancel()
	entries, err := client.Do(bounded, client.B().Xrange().Key(c.rows(p)).Start(from).End("+").Count(int64(limit)).Build()).AsXRange()
	c.judge(ctx, err)
	if err != nil {
		return nil, "", fmt.Errorf("asking redis for rows: %w", err)
	}
	for _, e := range entries {
		rows = append(rows, []byte(e.FieldValues[rowField]))
		last = e.ID
	}
	return rows, last, nil
}

// AppendRow implements semantic.Log.
func (c *Cache) AppendRow(p semantic.Partition, key cache.Key, vector []float32, row []byte, ttl time.Duration) bool {
	if c.up() == nil {
		return false
	}
	select {
	case c.rowPuts <- rowPut{p, key, vector, row, c.clock().Add(ttl)}:
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
		case r := <-c.rowPuts:
			c.sendRow(r)
		}
	}
}

// sendRow appends a row and takes away those that are too many, or that have
// expired if they were to live as long as this one. A partition that gets no
// more rows goes with its last one.
func (c *Cache) sendRow(r rowPut) {
	client := c.up()
	now := c.clock()
	ttl := r.until.Sub(now)
	if client == nil || ttl < time.Millisecond {
		return
	}
	ctx, cancel := context.WithTimeout(c.background, slowly)
	defer cancel()
	if c.searches(ctx, client) {
		c.judge(c.background, c.sendVector(ctx, client, &r, ttl))
		return
	}
	key := c.rows(r.partition)
	var lost error
	for _, result := range client.DoMulti(ctx,
		client.B().Xadd().Key(key).Maxlen().Almost().Threshold(number(maxRows)).Id("*").FieldValue().FieldValue(rowField, rueidis.BinaryString(r.row)).Build(),
		client.B().Xtrim().Key(key).Minid().Threshold(number(now.Add(-ttl).UnixMilli())).Build(),
		client.B().Pexpire().Key(key).Milliseconds(ttl.Milliseconds()).Build(),
	) {
		if err := result.Error(); err != nil && lost == nil {
			lost = err
		}
	}
	c.judge(c.background, lost)
}

// Interface guard.
var _ semantic.Log = (*Cache)(nil)
