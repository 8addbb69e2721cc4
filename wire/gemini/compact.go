package gemini

import "github.com/weirproxy/weir/wire"

func compact(raw []byte) string { return string(wire.AppendCompact(nil, raw)) }
