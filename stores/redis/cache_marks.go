package redis

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/weirproxy/weir/cache"
)

//go:embed purge.lua
var purgeSource string

const (
	// maxTags is how many tags the server has marks of, and atOnce how many one
	// script sets, so that none runs long.
	maxTags = 10_000
	atOnce  = 500
)

// marksLife is how long the server keeps marks that are not added to.
const marksLife = cache.MaxLife + 24*time.Hour

// marks is a name of what belongs to the marks.
func (c *Cache) marks(what string) string { return c.prefix + "{marks}:" + what }

// Purge implements cache.Remote.
func (c *Cache) Purge(ctx context.Context, marks []cache.Mark) error {
	client := c.up()
	if client == nil {
		c.stale.Store(true)
		return errAway
	}
	ctx, cancel := context.WithTimeout(ctx, slowly)
	defer cancel()
	if err := c.mark(ctx, client, "purge", marks); err != nil {
		// Whoever reads the marks next tells the server what it lacks.
		c.stale.Store(true)
		c.kick()
		return err
	}
	return nil
}

// mark runs the script.
func (c *Cache) mark(ctx context.Context, client rueidis.Client, how string, marks []cache.Mark) error {
	for some := range slices.Chunk(marks, atOnce) {
		args := []string{how, c.marks("news"), c.id(), number(maxTags), number(marksLife.Milliseconds())}
		for _, m := range some {
			args = append(args, m.Tag, strconv.FormatUint(m.Value, 10))
		}
		err := c.purging.Exec(ctx, client, []string{c.marks("tags"), c.marks("token")}, args).Error()
		if err != nil {
			return fmt.Errorf("telling redis of a purge: %w", err)
		}
	}
	return nil
}

// id is unique in the fleet.
func (c *Cache) id() string { return c.instance + "-" + strconv.FormatUint(c.ids.Add(1), 36) }

// reread tells the watchers all marks of the server, and the server those that it
// has lost.
func (c *Cache) reread(ctx context.Context, client rueidis.Client) error {
	stored, err := client.Do(ctx, client.B().Hgetall().Key(c.marks("tags")).Build()).AsStrMap()
	if err != nil {
		return fmt.Errorf("reading purges: %w", err)
	}
	marks := make([]cache.Mark, 0, len(stored))
	for tag, text := range stored {
		if value, err := strconv.ParseUint(text, 10, 53); err == nil {
			marks = append(marks, cache.Mark{Tag: tag, Value: value})
		}
	}
	missing := c.watchers.TellAll(marks)
	if err := c.mark(ctx, client, "restore", missing); err != nil {
		// Here they are known; a server that does not take them may be read.
		c.stale.Store(true)
	}
	return nil
}

// Watch implements cache.Remote.
func (c *Cache) Watch(apply func([]cache.Mark), known func() []cache.Mark) (stop func()) {
	stop = c.watchers.Watch(apply, known)
	c.stale.Store(true)
	c.kick()
	return stop
}

// listen hears of purges as they happen, until Close.
func (c *Cache) listen() {
	for c.background.Err() == nil {
		if client := c.client.Load(); client != nil {
			// What was purged while nobody listened has to be read.
			ctx := rueidis.WithOnSubscriptionHook(c.background, func(rueidis.PubSubSubscription) {
				c.stale.Store(true)
				c.kick()
			})
			_ = (*client).Receive(ctx, (*client).B().Subscribe().Channel(c.marks("news")).Build(), func(m rueidis.PubSubMessage) {
				c.hear(m.Message)
			})
		}
		select {
		case <-c.background.Done():
		case <-time.After(probeEvery):
		}
	}
}

// hear tells the watchers news.
func (c *Cache) hear(news string) {
	var marks []cache.Mark
	for news != "" {
		value, rest, _ := strings.Cut(news, " ")
		length, rest, _ := strings.Cut(rest, " ")
		v, err := strconv.ParseUint(value, 10, 53)
		n, wrong := strconv.Atoi(length)
		if err != nil || wrong != nil || n < 0 || n >= len(rest) {
			// Anybody may publish. The marks themselves will tell.
			c.stale.Store(true)
			c.kick()
			return
		}
		marks = append(marks, cache.Mark{Tag: rest[:n], Value: v})
		news = rest[n+1:]
	}
	c.watchers.Tell(marks)
}
