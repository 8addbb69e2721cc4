package redistest

import (
	"fmt"
	"strings"
	"testing"
)

// slots is how many a Cluster has.
const slots = 16384

// Cluster is a Redis Cluster on loopback.
type Cluster struct {
	tb    testing.TB
	Nodes []*Server
}

// StartCluster runs n primaries that share the slots evenly.
func (p Program) StartCluster(tb testing.TB, n int) *Cluster {
	tb.Helper()
	c := &Cluster{tb: tb}
	for i := range n {
		s := p.Start(tb, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000")
		c.Nodes = append(c.Nodes, s)
		var own []string
		for slot := range slots {
			if slot*n/slots == i {
				own = append(own, fmt.Sprint(slot))
			}
		}
		// A line has no room for all.
		for len(own) > 0 {
			some := own[:min(len(own), 2048)]
			s.Must("CLUSTER ADDSLOTS " + strings.Join(some, " "))
			own = own[len(some):]
		}
		s.Must(fmt.Sprintf("CLUSTER SET-CONFIG-EPOCH %d", i+1))
	}
	for _, s := range c.Nodes[1:] {
		c.meet(s)
	}
	c.agree()
	return c
}

func (c *Cluster) meet(s *Server) {
	c.Nodes[0].Must("CLUSTER MEET 127.0.0.1 " + s.Port())
}

// agree waits until every node sees all others and all slots.
func (c *Cluster) agree() {
	c.tb.Helper()
	for _, s := range c.Nodes {
		await(c.tb, "the Cluster", func() bool {
			info, err := s.Command("CLUSTER INFO")
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d\r", len(c.Nodes)))
		})
	}
}

// AddReplica runs a replica of a primary.
func (c *Cluster) AddReplica(p Program, primary *Server) *Server {
	c.tb.Helper()
	s := p.Start(c.tb, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000")
	c.Nodes = append(c.Nodes, s)
	c.meet(s)
	c.agree()
	s.Must("CLUSTER REPLICATE " + primary.Must("CLUSTER MYID"))
	await(c.tb, "replication", func() bool {
		info, err := s.Command("INFO replication")
		return err == nil && strings.Contains(info, "master_link_status:up")
	})
	for _, s := range c.Nodes {
		await(c.tb, "the replica to be known", func() bool {
			nodes, err := s.Command("CLUSTER NODES")
			return err == nil && strings.Contains(nodes, "slave ")
		})
	}
	return s
}

// Owner is the node that has key's slot.
func (c *Cluster) Owner(key string) *Server {
	c.tb.Helper()
	for _, s := range c.Nodes {
		if reply, err := s.Command("EXISTS " + key); err == nil && strings.HasPrefix(reply, ":") {
			return s
		}
	}
	c.tb.Fatalf("no node has the slot of %s", key)
	return nil
}

// Move moves the slot of key, with all that is in it, while clients go on:
// between is called when half of the keys have moved.
func (c *Cluster) Move(key string, from, to *Server, between func()) {
	c.tb.Helper()
	slot := strings.TrimPrefix(from.Must("CLUSTER KEYSLOT "+key), ":")
	to.Must("CLUSTER SETSLOT " + slot + " IMPORTING " + from.Must("CLUSTER MYID"))
	from.Must("CLUSTER SETSLOT " + slot + " MIGRATING " + to.Must("CLUSTER MYID"))
	keys := from.List("CLUSTER GETKEYSINSLOT " + slot + " 100000")
	for i, key := range keys {
		if i == len(keys)/2 {
			between()
		}
		from.Must(fmt.Sprintf("MIGRATE 127.0.0.1 %s %q 0 5000", to.Port(), key))
	}
	for {
		rest := from.List("CLUSTER GETKEYSINSLOT " + slot + " 100000")
		if len(rest) == 0 {
			break
		}
		for _, key := range rest {
			from.Must(fmt.Sprintf("MIGRATE 127.0.0.1 %s %q 0 5000", to.Port(), key))
		}
	}
	for _, s := range []*Server{to, from} {
		s.Must("CLUSTER SETSLOT " + slot + " NODE " + to.Must("CLUSTER MYID"))
	}
}
