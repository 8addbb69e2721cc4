package weir

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/weirproxy/weir/gateway"
)

// wordPlaces are where a Caddyfile names things: for each model its words, each with
// file and line. Whether there is what they name can be told only when all `ai`
// options have been read, since these add up, so the directives of sites look:
// they are read after all of them.
type wordPlaces map[string]map[string]string

// note notes where the words of a model stand; d stands on its name.
func (p wordPlaces) note(model string, d *caddyfile.Dispenser) {
	words := make(map[string]string)
	scan, depth, line := *d, 0, d.Line()
	for scan.Next() {
		switch word := scan.Val(); {
		case word == "{":
			depth++
		case word == "}":
			if depth--; depth <= 0 {
				p[model] = words
				return
			}
		case depth == 0 && scan.Line() != line:
			p[model] = words // it has no block
			return
		case words[word] == "":
			words[word] = fmt.Sprintf("%s:%d", scan.File(), scan.Line())
		}
	}
	p[model] = words
}

// name notes that by names a name where d stands.
func (p wordPlaces) name(by, name string, d *caddyfile.Dispenser) {
	if p[by] == nil {
		p[by] = make(map[string]string)
	}
	p[by][name] = fmt.Sprintf("%s:%d", d.File(), d.Line())
}

// The value of a global option is what goes into the configuration, and all that
// directives get to see of it. Places are no part of the configuration: they stand
// in the memory behind the value, between a mark and its end.
const placesMark = "weir places"

// carry returns value with p behind it.
func (p wordPlaces) carry(value json.RawMessage) (json.RawMessage, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("noting places: %w", err)
	}
	all := append(slices.Clone(value), placesMark...)
	all = binary.BigEndian.AppendUint32(all, uint32(len(text))) //nolint:gosec // of one Caddyfile
	all = append(all, text...)
	return all[:len(value)], nil
}

// placesOf returns what value carries, nothing if that is not the work of carry.
func placesOf(value json.RawMessage) wordPlaces {
	p := make(wordPlaces)
	behind := value[len(value):cap(value)]
	head := len(placesMark) + 4
	if len(behind) < head || string(behind[:len(placesMark)]) != placesMark {
		return p
	}
	text := behind[head:]
	if n := int(binary.BigEndian.Uint32(behind[len(placesMark):])); n < len(text) {
		text = text[:n]
	}
	if json.Unmarshal(text, &p) != nil {
		return make(wordPlaces)
	}
	return p
}

// checkNames refuses models that name what there is not, where they do. What is
// wrong otherwise is told when the configuration is loaded.
func checkNames(h httpcaddyfile.Helper) error {
	option, ok := h.Option("ai").(httpcaddyfile.App)
	if !ok {
		return nil
	}
	known := placesOf(option.Value)
	app := new(App)
	if err := json.Unmarshal(option.Value, app); err != nil {
		return fmt.Errorf("reading the ai option: %w", err)
	}
	var list []*gateway.Model
	for _, name := range slices.Sorted(maps.Keys(app.Models)) {
		model, err := app.Models[name].named(name)
		if err != nil {
			return err
		}
		list = append(list, model)
	}
	providers := slices.Sorted(maps.Keys(app.ProvidersRaw))
	err := gateway.CheckNames(providers, list)
	if err == nil {
		err = app.checkBearers(providers)
	}
	if err == nil {
		v := app.vocabulary()
		err = app.checkDowngrades(v.checkDowngrades, v.alias)
	}
	return known.at(err)
}

// at is an error about a name with the place of the name, nil if there is none: what
// is wrong is told when the configuration is loaded.
func (p wordPlaces) at(err error) error {
	if wrong, ok := errors.AsType[*gateway.NameError](err); ok {
		if place := p[wrong.Model][wrong.Name]; place != "" {
			return fmt.Errorf("%w, at %s", err, place)
		}
	}
	return nil
}

// named is the model as far as it names others.
func (m *Model) named(name string) (*gateway.Model, error) {
	plan, err := m.names()
	if err != nil {
		return nil, err
	}
	model := &gateway.Model{Name: name, Plan: plan}
	for _, w := range m.When {
		branch := &gateway.Branch{When: w.Conditions}
		if w.Model != "" {
			branch.Alias = w.Model
		} else {
			all := w.Routing
			all.inherit(&m.Routing)
			if branch.Plan, err = all.names(); err != nil {
				return nil, err
			}
		}
		model.When = append(model.When, branch)
	}
	return model, nil
}
