// Package tokenizer counts tokens exactly as OpenAI's tiktoken does, offline,
// without allocating and in time linear in the text, and estimates them for
// models whose vocabulary is not public.
package tokenizer
