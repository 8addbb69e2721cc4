package tokenizer

import (
	"fmt"
	"strings"
)

// Override gives the models that match Pattern the encoding of a file. Pattern
// is a model's name, or a prefix of it followed by an asterisk; case does not
// matter.
type Override struct {
	Pattern string
	Format  string // see LoadFile
	Path    string
}

// Table is the model table with a site's own tokenizers before it. It is
// immutable and safe for concurrent use; a nil Table has the built-in ones.
type Table struct {
	overrides []tableEntry
}

type tableEntry struct {
	pattern  string // lower case, without the asterisk
	prefix   bool
	encoding *Encoding
	family   *Family
}

// NewTable loads the files of the overrides. A file that two patterns name is
// loaded once.
func NewTable(overrides []Override) (*Table, error) {
	t := &Table{}
	loaded := map[Override]*Encoding{}
	for _, o := range overrides {
		name, prefix := strings.CutSuffix(strings.ToLower(o.Pattern), "*")
		if name == "" && !prefix || strings.Contains(name, "*") {
			return nil, fmt.Errorf("tokenizer of '%s': the pattern is neither a name nor a prefix and an asterisk", o.Pattern)
		}
		file := Override{Format: o.Format, Path: o.Path}
		e := loaded[file]
		if e == nil {
			var err error
			if e, err = LoadFile(o.Format, o.Path); err != nil {
				return nil, fmt.Errorf("tokenizer of '%s': %w", o.Pattern, err)
			}
			loaded[file] = e
		}
		t.overrides = append(t.overrides, tableEntry{name, prefix, e, FileFamily(name, e)})
	}
	return t, nil
}

// ForModel is the package's ForModel with the overrides before it: an exact
// name first, then the longest prefix.
func (t *Table) ForModel(model string) *Family {
	if t == nil || len(t.overrides) == 0 {
		return ForModel(model)
	}
	var best *tableEntry
	for i := range t.overrides {
		o := &t.overrides[i]
		if !o.matches(model) {
			continue
		}
		if best == nil || best.prefix && (!o.prefix || len(o.pattern) > len(best.pattern)) {
			best = o
		}
	}
	if best == nil {
		return ForModel(model)
	}
	return best.family
}

func (o *tableEntry) matches(model string) bool {
	if o.prefix {
		return len(model) >= len(o.pattern) && strings.EqualFold(model[:len(o.pattern)], o.pattern)
	}
	return strings.EqualFold(model, o.pattern)
}
