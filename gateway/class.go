package gateway

import (
	"fmt"
	"strings"

	"github.com/weirproxy/weir/internal/typo"
	"github.com/weirproxy/weir/wire"
)

// Class is a reason for which a call to a target failed, as the rules of
// retries and fallbacks name it.
type Class uint8

// The classes.
const (
	ClassRateLimit Class = iota
	ClassOverloaded
	ClassTimeout
	ClassUpstream
	ClassContextLength
	ClassContentPolicy
	ClassAuth

	classes // their number
)

var classNames = [classes]string{"rate_limit", "overloaded", "timeout", "upstream_error", "context_length", "content_policy", "auth"}

// ClassNames are the words of all classes.
func ClassNames() []string { return classNames[:] }

// String is the class's word in configurations, logs and metrics.
func (c Class) String() string { return classNames[c] }

// ParseClass reads a class's word.
func ParseClass(word string) (Class, error) {
	for c, name := range classNames {
		if name == word {
			return Class(c), nil
		}
	}
	return 0, fmt.Errorf("unknown error class '%s'%s", word, typo.Suggest(word, classNames[:]...))
}

// ClassOf is the class of an upstream's failure; ok is false for failures that
// are the client's own and would be the same at every target.
func ClassOf(kind wire.Kind) (c Class, ok bool) {
	switch kind {
	case wire.KindRateLimit, wire.KindBudget:
		return ClassRateLimit, true
	case wire.KindOverloaded:
		return ClassOverloaded, true
	case wire.KindTimeout:
		return ClassTimeout, true
	case wire.KindUpstream, wire.KindInternal:
		return ClassUpstream, true
	case wire.KindContextLength:
		return ClassContextLength, true
	case wire.KindPolicy:
		return ClassContentPolicy, true
	case wire.KindAuthentication, wire.KindPermission:
		return ClassAuth, true
	default:
		return 0, false
	}
}

// Classes is a set of classes; the zero value is empty.
type Classes uint16

// DefaultClasses are the failures that are tried elsewhere if nothing else is
// configured: those that say nothing of the request.
var DefaultClasses = ClassesOf(ClassRateLimit, ClassOverloaded, ClassTimeout, ClassUpstream, ClassAuth)

// ClassesOf is the set of list.
func ClassesOf(list ...Class) (s Classes) {
	for _, c := range list {
		s |= 1 << c
	}
	return s
}

// ParseClasses reads classes' words. A class given twice is an error.
func ParseClasses(words []string) (s Classes, err error) {
	for _, word := range words {
		c, err := ParseClass(word)
		if err != nil {
			return 0, err
		}
		if s.Has(c) {
			return 0, fmt.Errorf("the error class '%s' is given twice", word)
		}
		s |= 1 << c
	}
	return s, nil
}

// Has reports whether c is in the set.
func (s Classes) Has(c Class) bool { return s>>c&1 == 1 }

// String lists the set's words.
func (s Classes) String() string {
	var words []string
	for c := range classes {
		if s.Has(c) {
			words = append(words, c.String())
		}
	}
	return strings.Join(words, " ")
}

// Classify files the error of an attempt; ok is false where another attempt
// makes no sense: the request is at fault, or nobody waits any more.
func Classify(err error) (c Class, ok bool) {
	if CalledOff(err) {
		return 0, false
	}
	e := AsError(err)
	if e.Credential {
		return ClassAuth, true
	}
	return ClassOf(e.Kind)
}
