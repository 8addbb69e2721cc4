package canon

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// embed writes a request for embeddings. How vectors are spelled (Base64) and
// whether a single text stands in a list (Single) is a matter of form.
func (w *writer) embed(req *wire.EmbedRequest, dialect wire.Dialect) {
	w.list(tagInput, req.Inputs)
	w.count(tagDimensions, req.Dimensions)
	w.text(tagTask, req.Task)
	w.text(tagTitle, req.Title)
	w.extras(tagExtra, req.Extra, dialect)
}

// ofTokens reports whether embeddings are asked for of tokens, which the
// canonical form has no place for.
func ofTokens(doc *wire.Doc) bool {
	for e := range doc.Elements(doc.Get(doc.Root, "input")) {
		return e.Kind == jsonscan.Number || e.Kind == jsonscan.Array
	}
	return false
}
