package upstream

import (
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/gateway"
)

// TestHealthCheck holds what JSON may say of active checks, and the defaults.
func TestHealthCheck(t *testing.T) {
	const s = caddy.Duration(time.Second)
	for _, tt := range []struct {
		name              string
		interval, timeout caddy.Duration
		want              gateway.Recheck
		err               string
	}{
		{"off", 0, 0, gateway.Recheck{Timeout: 10 * time.Second}, ""},
		{"on", 5 * s, 0, gateway.Recheck{Interval: 5 * time.Second, Timeout: 10 * time.Second}, ""},
		{"timeout", 5 * s, 60 * s, gateway.Recheck{Interval: 5 * time.Second, Timeout: time.Minute}, ""},
		{"negative interval", -s, 0, gateway.Recheck{}, "must not be negative"},
		{"negative timeout", s, -s, gateway.Recheck{}, "must not be negative"},
		{"timeout alone", 0, s, gateway.Recheck{}, "needs health_interval"},
		{"long timeout", s, 61 * s, gateway.Recheck{}, "1m1s is more than 1m0s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Common{HealthCheck: HealthCheck{Interval: tt.interval, Timeout: tt.timeout}}
			err := c.Check()
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("%v", err)
				}
				return
			}
			if got := c.Recheck(); err != nil || got != tt.want {
				t.Errorf("%+v %v", got, err)
			}
		})
	}
}
