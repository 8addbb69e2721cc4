package memory

import (
	"testing"

	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m, "certmagic", "caddy/v2") }
