package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/weirproxy/weir/gateway/limits"
)

// testTimeout bounds the whole self-test, connecting included.
const testTimeout = 10 * time.Second

// maxSkew is how far clocks may be apart before somebody should look. Limits
// hold whatever it is.
const maxSkew = 10 * time.Second

// SelfTest connects, checks the server's settings, and admits and refuses
// once: limits that are configured but not in force are an error. Settings that
// the server does not show (hosted ones often hide CONFIG) are warnings.
func (s *Store) SelfTest(ctx context.Context) (warnings []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	client, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.probe(ctx, client); err != nil {
		return nil, err
	}
	s.breaker.Close()
	if skew := time.Duration(s.skew.Load()) * time.Microsecond; skew.Abs() > maxSkew {
		warnings = append(warnings, fmt.Sprintf("redis's clock is %s ahead of this machine's; its own is the one that counts", skew.Round(time.Second)))
	}
	info, err := client.Do(ctx, client.B().Info().Build()).ToString()
	if err != nil {
		warnings = append(warnings, "redis does not answer INFO: neither its version nor its memory policy are known")
	}
	more, err := judge(parseInfo(info))
	warnings = append(warnings, more...)
	if err != nil {
		return warnings, err
	}
	return warnings, s.canary(ctx)
}

// canary tries until the server answers in time, or ctx ends. A call waits a moment
// only for the store, but connections that are just coming up, on a machine that has
// just been started, take longer than that and must not keep a configuration from
// loading.
func (s *Store) canary(ctx context.Context) error {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		err := s.refuses(ctx)
		if err == nil {
			return nil
		}
		err = fmt.Errorf("testing the limits in redis: %w", err)
		if _, answered := rueidis.IsRedisErr(err); answered || !errors.Is(err, limits.ErrUnavailable) {
			return err
		}
		s.breaker.Close()
		pause.Reset(10 * time.Millisecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
			return err
		}
	}
}

// refuses reserves twice where there is room for one. It does so in another place
// each time: what a server was asked and has not answered, it may have done.
func (s *Store) refuses(ctx context.Context) error {
	rule := limits.Rule{Unit: limits.Requests, Amount: 1, Window: time.Minute}
	var first, second limits.Reservation
	key := "selftest:" + s.instance + strconv.FormatUint(s.ids.Add(1), 36)
	for i, r := range []*limits.Reservation{&first, &second} {
		r.Claim(key, &rule, 1)
		ok, err := s.Reserve(ctx, r)
		if err != nil {
			_ = s.Settle(ctx, &first, []int64{0})
			return err
		}
		if ok != (i == 0) {
			return fmt.Errorf("room for one request, and request %d: admitted %t; limits would not be in force", i+1, ok)
		}
	}
	return s.Settle(ctx, &first, []int64{0})
}

func parseInfo(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info
}

// judge looks at what INFO tells.
func judge(info map[string]string) (warnings []string, err error) {
	// Valkey tells here which Redis it is compatible with.
	if version := info["redis_version"]; older(version, 6, 2) {
		return nil, fmt.Errorf("redis %s is older than 6.2", version)
	}
	policy := info["maxmemory_policy"]
	limited := info["maxmemory"] != "" && info["maxmemory"] != "0"
	switch {
	case policy == "" || policy == "noeviction":
	case limited:
		// An evicted budget is a full budget again.
		return nil, fmt.Errorf("redis evicts keys (maxmemory-policy %s), so it would forget limits; set noeviction, and keep caches in another server", policy)
	default:
		warnings = append(warnings, "redis's maxmemory-policy is "+policy+": set noeviction before maxmemory is set")
	}
	if info["aof_enabled"] == "0" {
		warnings = append(warnings, "redis has no append-only file: a restart forgets what was counted since its last snapshot")
	}
	if info["role"] == "slave" {
		return warnings, fmt.Errorf("redis is a replica, which cannot count")
	}
	return warnings, nil
}

func older(version string, major, minor int) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	a, errA := strconv.Atoi(parts[0])
	b, errB := strconv.Atoi(parts[1])
	return errA == nil && errB == nil && (a < major || a == major && b < minor)
}
