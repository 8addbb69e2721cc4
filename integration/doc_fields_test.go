package integration

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// TestFieldsAreDocumented holds that each field of the configuration's JSON says what
// it is and what holds when it is left out: Caddy's documentation is made of that. A
// field that shares a comment with the one before has none there.
func TestFieldsAreDocumented(t *testing.T) {
	const ours = "github.com/weirproxy/weir"
	packages := make(map[string]map[string]*ast.StructType)
	structs := func(path string) map[string]*ast.StructType {
		if packages[path] == nil {
			packages[path] = structsOf(t, "../"+strings.TrimPrefix(strings.TrimPrefix(path, ours), "/"))
		}
		return packages[path]
	}
	seen := make(map[reflect.Type]bool)
	var look func(reflect.Type)
	look = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			look(typ.Elem())
			return
		case reflect.Struct:
		default:
			return
		}
		if seen[typ] || !strings.HasPrefix(typ.PkgPath(), ours) {
			return
		}
		seen[typ] = true
		docs := make(map[string]string)
		if source := structs(typ.PkgPath())[typ.Name()]; source != nil {
			for _, field := range source.Fields.List {
				for i, name := range field.Names {
					if docs[name.Name] = ""; i == 0 {
						docs[name.Name] = field.Doc.Text()
					}
				}
			}
		}
		for i := range typ.NumField() {
			field := typ.Field(i)
			tag, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			if tag == "-" || !field.IsExported() {
				continue
			}
			if field.Anonymous && tag == "" {
				look(field.Type)
				continue
			}
			if tag == "" {
				continue
			}
			doc := strings.Join(strings.Fields(docs[field.Name]), " ")
			switch optional := strings.Contains(options, "omit"); {
			case doc == "":
				t.Errorf("%s.%s (%s) is not documented", typ, field.Name, tag)
			case optional && !strings.Contains(doc, "Default:"):
				t.Errorf("%s.%s (%s) does not say what holds without it: %s", typ, field.Name, tag, doc)
			}
			look(field.Type)
		}
	}
	modules := 0
	for _, id := range caddy.Modules() {
		info, err := caddy.GetModule(id)
		if err != nil {
			t.Fatal(err)
		}
		typ := reflect.TypeOf(info.New())
		for typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if strings.HasPrefix(typ.PkgPath(), ours) {
			modules++
			look(typ)
		}
	}
	if modules < 20 {
		t.Errorf("only %d modules were found", modules)
	}
}

// structsOf are the struct types of the package in dir, by name.
func structsOf(t *testing.T, dir string) map[string]*ast.StructType {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]*ast.StructType)
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), dir+"/"+name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if s, ok := spec.Type.(*ast.StructType); ok {
					found[spec.Name.Name] = s
				}
			}
			return true
		})
	}
	return found
}
