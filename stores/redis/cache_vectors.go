package redis

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/weirproxy/weir/cache/semantic"
)

// What is known of the server's ability to search by vectors.
const (
	searchUnknown = iota
	searchNo
	searchYes
)

// searches reports whether the server has FT.SEARCH: Redis 8, Redis Stack, or
// Valkey with a module of that name. Those of a Cluster search their own part
// only, each in its own way, so there the streams are read.
func (c *Cache) searches(ctx context.Context, client rueidis.Client) bool {
	if known := c.search.Load(); known != searchUnknown {
		return known == searchYes
	}
	if client.Mode() == rueidis.ClientModeCluster {
		c.search.Store(searchNo)
		return false
	}
	commands, err := client.Do(ctx, client.B().CommandInfo().CommandName("FT.SEARCH").Build()).ToArray()
	switch _, answered := rueidis.IsRedisErr(err); {
	case err == nil && len(commands) == 1 && !commands[0].IsNil():
		c.search.Store(searchYes)
		return true
	case err == nil, answered:
		// It is not there, or this user may not know.
		c.search.Store(searchNo)
	}
	return false
}

// vectors is the name of an index, and of what its rows begin with.
func (c *Cache) vectors(dims int) (index, rows string) {
	index = c.prefix + "vectors:" + number(int64(dims))
	return index, index + ":"
}

// sendVector keeps a row as a hash that the index of its size has.
func (c *Cache) sendVector(ctx context.Context, client rueidis.Client, r *rowPut, ttl time.Duration) error {
	dims := len(r.vector)
	index, rows := c.vectors(dims)
	if _, ok := c.indexed.Load(dims); !ok {
		err := client.Do(ctx, client.B().Arbitrary("FT.CREATE").Keys(index).Args(
			"ON", "HASH", "PREFIX", "1", rows, "SCHEMA", "p", "TAG",
			"v", "VECTOR", "HNSW", "6", "TYPE", "FLOAT32", "DIM", number(int64(dims)), "DISTANCE_METRIC", "COSINE").Build()).Error()
		if err != nil && !strings.Contains(strings.ToLower(err.Error()), "already exists") {
			return c.unable(err)
		}
		c.indexed.Store(dims, true)
	}
	key := rows + hex.EncodeToString(r.partition[:8]) + hex.EncodeToString(r.key[:])
	for _, result := range client.DoMulti(ctx,
		client.B().Hset().Key(key).FieldValue().FieldValue("p", hex.EncodeToString(r.partition[:])).
			FieldValue("v", blob(r.vector)).FieldValue(rowField, rueidis.BinaryString(r.row)).Build(),
		client.B().Pexpire().Key(key).Milliseconds(ttl.Milliseconds()).Build(),
	) {
		if err := result.Error(); err != nil {
			return err
		}
	}
	return nil
}

// Find implements semantic.Finder. The partition is a filter that the server
// applies before it compares vectors.
func (c *Cache) Find(ctx context.Context, p semantic.Partition, vector []float32, limit int) (rows [][]byte, known bool, err error) {
	client := c.up()
	if client == nil {
		return nil, false, errAway
	}
	bounded, cancel := context.WithTimeout(ctx, time.Duration(c.deadline.Load()))
	defer cancel()
	if !c.searches(bounded, client) {
		return nil, false, nil
	}
	index, _ := c.vectors(len(vector))
	n := number(int64(limit))
	_, found, err := client.Do(bounded, client.B().Arbitrary("FT.SEARCH").Keys(index).Args(
		"(@p:{"+hex.EncodeToString(p[:])+"})=>[KNN "+n+" @v $q AS d]", "PARAMS", "2", "q", blob(vector),
		"SORTBY", "d", "RETURN", "1", rowField, "LIMIT", "0", n, "DIALECT", "2").ReadOnly()).AsFtSearch()
	c.judge(ctx, err)
	if err != nil {
		if c.noIndex(err) {
			return nil, true, nil // nobody has kept a row yet
		}
		err = fmt.Errorf("searching in redis: %w", c.unable(err))
		return nil, c.search.Load() == searchYes, err
	}
	for _, doc := range found {
		rows = append(rows, []byte(doc.Doc[rowField]))
	}
	return rows, true, nil
}

// noIndex reports whether an index is missing, as it is before the first row and
// after a flush, and has it made again.
func (c *Cache) noIndex(err error) bool {
	text := strings.ToLower(err.Error())
	if !strings.Contains(text, "no such index") && !strings.Contains(text, "not found") && !strings.Contains(text, "unknown index") {
		return false
	}
	c.indexed.Clear()
	return true
}

// unable notes that the server refuses to search, as to a user without that
// right. The streams serve then.
func (c *Cache) unable(err error) error {
	text := strings.ToLower(err.Error())
	if strings.Contains(text, "noperm") || strings.Contains(text, "unknown command") {
		c.search.Store(searchNo)
	}
	return err
}

// blob is a vector as the server reads it.
func blob(v []float32) string {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return rueidis.BinaryString(b)
}

// Interface guard.
var _ semantic.Finder = (*Cache)(nil)
