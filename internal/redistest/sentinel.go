package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// MasterSet is the name under which Sentinels watch.
const MasterSet = "weir"

// StartReplica runs a replica of primary and waits until it has caught up.
func (p Program) StartReplica(tb testing.TB, primary *Server, args ...string) *Server {
	tb.Helper()
	s := p.Start(tb, append([]string{"--replicaof", "127.0.0.1", primary.Port()}, args...)...)
	await(tb, "replication", func() bool {
		info, err := s.Command("INFO replication")
		return err == nil && strings.Contains(info, "master_link_status:up")
	})
	return s
}

// StartSentinels runs n Sentinels that watch primary, and waits until they
// know each other and its replicas, so that they can fail over. It returns
// their URL for clients.
func (p Program) StartSentinels(tb testing.TB, primary *Server, n, replicas int) (url string) {
	tb.Helper()
	var all []*Server
	for range n {
		file := filepath.Join(tb.TempDir(), "sentinel.conf")
		config := fmt.Sprintf("sentinel monitor %[1]s 127.0.0.1 %[2]s %[3]d\nsentinel down-after-milliseconds %[1]s 1000\nsentinel failover-timeout %[1]s 5000\n", MasterSet, primary.Port(), n/2+1)
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			tb.Fatal(err)
		}
		all = append(all, p.Start(tb, file, "--sentinel"))
	}
	url = all[0].URL + "?master_set=" + MasterSet
	for _, s := range all[1:] {
		url += "&addr=" + s.Addr
	}
	want := fmt.Sprintf("slaves=%d,sentinels=%d", replicas, n)
	for _, s := range all {
		await(tb, "the Sentinels to know "+want, func() bool {
			info, err := s.Command("INFO sentinel")
			return err == nil && strings.Contains(info, want) && strings.Contains(info, "status=ok")
		})
	}
	return url
}

// Detach ends the replication from s, and keeps replicas from coming back:
// they are stale from now on.
func (s *Server) Detach() {
	s.tb.Helper()
	s.Must("ACL SETUSER default -psync -sync")
	s.Must("CLIENT KILL TYPE replica")
	await(s.tb, "the end of replication", func() bool {
		info, err := s.Command("INFO replication")
		return err == nil && strings.Contains(info, "connected_slaves:0")
	})
}

// Synced waits until n replicas have what s has.
func (s *Server) Synced(n int) {
	s.tb.Helper()
	await(s.tb, "the replicas", func() bool {
		reply, err := s.Command(fmt.Sprintf("WAIT %d 1000", n))
		return err == nil && reply == fmt.Sprintf(":%d", n)
	})
}

// await waits for what a server brings about.
func await(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(until) {
			tb.Fatalf("%s: it does not come", what)
		}
	}
}
