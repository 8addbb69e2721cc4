package queue

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weirproxy/weir/internal/typo"
)

// Class is how much a ticket matters. The zero value is Normal.
type Class int8

// The classes, from the one that goes first to the one that goes last.
const (
	Critical Class = iota - 2
	High
	Normal
	Low
	Batch

	classes = int(Batch-Critical) + 1
)

// Classes are the names of the classes, the first one first.
var Classes = []string{"critical", "high", "normal", "low", "batch"}

// String is the class's word in configurations.
func (c Class) String() string { return Classes[c.index()] }

func (c Class) index() int { return int(min(max(c, Critical), Batch) - Critical) }

// ParseClass reads a class; nothing is Normal.
func ParseClass(word string) (Class, error) {
	if word == "" {
		return Normal, nil
	}
	if i := slices.Index(Classes, word); i >= 0 {
		return Critical + Class(i), nil
	}
	return Normal, fmt.Errorf("priority: unknown class '%s'%s (known: %s)", word, typo.Suggest(word, Classes...), strings.Join(Classes, ", "))
}
