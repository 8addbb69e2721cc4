package tokenizer

import _ "embed"

// class is what the split patterns distinguish: \p{Lu}\p{Lt}, \p{Ll},
// \p{Lm}\p{Lo}, \p{M}, \p{N}, \s and the rest.
type class uint8

const (
	classOther class = iota
	classUpper
	classLower
	classBoth
	classMark
	classNumber
	classSpace
)

// UnicodeVersion is the version of the character classes. It follows the
// regex-syntax crate that tiktoken is built with, not Go's unicode package,
// which knows 5,055 code points fewer.
const UnicodeVersion = "16.0.0"

// classTable is two-stage: block numbers by code point >> 8, then blocks.
//
//go:generate python3 internal/gen/classes.py data/classes.bin
//go:embed data/classes.bin
var classTable string

const classBlocks = 0x110000 >> 8

func classOf(r rune) class {
	block := int(classTable[r>>8])
	return class(classTable[classBlocks+block<<8+int(r&0xFF)])
}

func (c class) letter() bool { return c-classUpper <= classBoth-classUpper }

// classAt returns the class and the length of the character at s[i]; s must be
// valid UTF-8 and i the start of a character.
func classAt(s string, i int) (class, int) {
	b := s[i]
	switch {
	case b < 0x80:
		return class(classTable[classBlocks+int(b)]), 1
	case b < 0xE0:
		return classOf(rune(b&0x1F)<<6 | rune(s[i+1]&0x3F)), 2
	case b < 0xF0:
		if b-0xE5 < 5 {
			return classBoth, 3 // U+5000 to U+9FFF are all ideographs or Yi
		}
		return classOf(rune(b&0x0F)<<12 | rune(s[i+1]&0x3F)<<6 | rune(s[i+2]&0x3F)), 3
	default:
		return classOf(rune(b&0x07)<<18 | rune(s[i+1]&0x3F)<<12 | rune(s[i+2]&0x3F)<<6 | rune(s[i+3]&0x3F)), 4
	}
}
