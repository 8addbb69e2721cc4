package jsonscan

// maxDepth bounds Limits.Depth: the nesting is kept in a fixed set of bits.
const maxDepth = 1024

// Limits bound what a body may make a reader do; a field of 0 takes the value
// of DefaultLimits.
type Limits struct {
	Depth     int // nested arrays and objects, the outermost included; at most 1024
	Nodes     int // values of every kind, the outermost included
	KeyLen    int // bytes of a member name between its quotes, as spelled
	NumberLen int // bytes of a number as spelled
}

// DefaultLimits stop the bodies that cost a decoder far more than their size:
// ten megabytes of {"a":1} are forty times as much in a map.
var DefaultLimits = Limits{Depth: 64, Nodes: 100_000, KeyLen: 256, NumberLen: 64}

func (l Limits) filled() Limits {
	if l.Depth <= 0 {
		l.Depth = DefaultLimits.Depth
	}
	if l.Nodes <= 0 {
		l.Nodes = DefaultLimits.Nodes
	}
	if l.KeyLen <= 0 {
		l.KeyLen = DefaultLimits.KeyLen
	}
	if l.NumberLen <= 0 {
		l.NumberLen = DefaultLimits.NumberLen
	}
	l.Depth = min(l.Depth, maxDepth)
	return l
}
