package redis

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/weirproxy/weir/internal/redistest"
)

// TestFollowed holds that an owner can ask who follows: those who do, for as long as
// they do, however long that is, and one that ends without a word for ttl.
func TestFollowed(t *testing.T) {
	programs(t, func(t *testing.T, program redistest.Program) {
		server := program.Start(t)
		a, b := remote(t, server.URL), remote(t, server.URL)
		const ttl = 300 * time.Millisecond
		own, err := a.Claim(background, keyOf("x"), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		followed := func(want bool) {
			t.Helper()
			for until := time.Now().Add(20 * time.Second); own.Followed(background) != want; {
				if time.Now().After(until) {
					t.Fatalf("followed: %t", !want)
				}
			}
		}
		if own.Followed(background) {
			t.Error("followed by nobody")
		}
		follow := func() (leave context.CancelFunc, done <-chan struct{}) {
			follower, err := b.Claim(background, keyOf("x"), ttl)
			if err != nil || follower.Own() {
				t.Fatalf("a second owner: %v", err)
			}
			ctx, leave := context.WithCancel(background)
			began, ended := make(chan struct{}), make(chan struct{})
			own.Append([]byte("first"))
			begin := sync.OnceFunc(func() { close(began) })
			go func() {
				defer close(ended)
				for range follower.Follow(ctx, 0) {
					begin()
				}
			}()
			<-began
			return leave, ended
		}
		one, left := follow()
		if !own.Followed(background) {
			t.Error("not followed by the first")
		}
		two, leftToo := follow()
		one()
		<-left
		for until := time.Now().Add(2 * ttl); time.Now().Before(until); {
			if !own.Followed(background) {
				t.Fatal("the second is forgotten")
			}
		}
		two()
		<-leftToo
		followed(false)

		if _, err := own.(*flight).hear(background, time.Second, "dead", ttl); err != nil {
			t.Fatal(err)
		}
		followed(true)
		followed(false)
		own.End(true)
	})
}

// TestFollowedOfLost holds that nobody follows what is lost.
func TestFollowedOfLost(t *testing.T) {
	server := redistest.Start(t)
	a := remote(t, server.URL)
	own, err := a.Claim(background, keyOf("x"), 300*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := own.(*flight).hear(background, time.Second, "other", time.Minute); err != nil {
		t.Fatal(err)
	}
	if !own.Followed(background) {
		t.Error("not followed")
	}
	server.Must("DEL " + a.name(keyOf("x"), "lease"))
	<-own.Lost()
	if own.Followed(background) {
		t.Error("followed although it is lost")
	}
}
