package integration

import "testing"

// TestSharedCounters holds that of several rules which count the same for a request the
// lowest holds, and that it is counted once.
func TestSharedCounters(t *testing.T) {
	for _, tt := range []struct{ name, key, ai, site string }{
		{"two handlers", "", "", "ai_limit {\nrequests 3 1h\n}\nai_limit {\nrequests 2 1h\n}\n"},
		{"two handlers, the lower first", "", "", "ai_limit {\nrequests 2 1h\n}\nai_limit {\nrequests 3 1h\n}\n"},
		{"the same handler twice", "", "", "ai_limit {\nkey {client_ip}\nrequests 2 1h\n}\nai_limit {\nkey {client_ip}\nrequests 2 1h\n}\n"},
		{"a key's own and the gateway's for it", "limit requests 2 1h\n", "limit key ci requests 3 1h", ""},
		{"a key's own, and a lower one of the gateway's for it", "limit requests 3 1h\n", "limit key ci requests 2 1h", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, _ := access(t, "key ci {env.CI_KEY} {\n"+tt.key+"}\n"+modelN(tt.ai), "route {\nai_auth\n"+tt.site+"ai_proxy\n}\n", hello)
			for n, want := range []int{200, 200, 429} {
				if status, _, answer := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", hi); status != want {
					t.Errorf("request %d: status %d, want %d: %s", n+1, status, want, answer)
				}
			}
		})
	}
}
