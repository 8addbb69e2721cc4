// Package jsonscan reads JSON where it lies: one pass over the bytes, offsets
// out, nothing decoded, nothing allocated, and surgical edits back.
//
// A gateway that forwards the caller's bytes must not be told a different
// story than the provider that parses them. encoding/json matches member names
// case-insensitively and lets the last duplicate win; other parsers let the
// first one win. Scan therefore refuses a body in which a policy key is
// repeated, or is spelled in any way that a lenient parser could take for it.
//
// The grammar is RFC 8259, checked completely, with one leniency: bytes of
// 0x80 and above inside strings are accepted as they are, valid UTF-8 or not,
// as encoding/json does. They are forwarded unchanged; Text replaces invalid
// ones with U+FFFD only when it has to unescape anyway.
package jsonscan
