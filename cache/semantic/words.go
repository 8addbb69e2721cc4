package semantic

import "strings"

// fillers are words that change nothing about what is asked for, nearly always.
var fillers = set(`a an the this's is are was were be been being am do does did done doing can could would should will shall may might
	i me my mine we us our you your it its he she they them their one's oneself there here that these those
	to of in on at by with for into about as and so then than from
	what which please tell hi hello hey dear thanks
	have has had having get just let lets want need like also very really some any`)

// facts are words that turn a meaning around, or on which an answer depends, and
// which vectors hardly tell apart.
var facts = set(`not
	who whom whose when where why
	only except unless until or but both either all none every each more less most least few many much fewer enough
	first second third fourth fifth sixth seventh eighth ninth tenth last next previous former latter final
	before after during while since ago now today tomorrow yesterday tonight current latest past future old new early late
	monday tuesday wednesday thursday friday saturday sunday january february march april june july august september october november december
	spring summer autumn winter morning afternoon evening night am pm
	second minute hour day week month quarter year decade century millisecond
	up down left right off over under above below inside outside against pro con
	high low higher lower highest lowest max min maximum minimum big small large largest biggest smallest tall short long longer shorter longest shortest
	best worst better worse good bad positive negative true false yes
	increase decrease raise reduce lower grow shrink gain lose win loss profit rise fall
	add remove delete insert append create destroy open close start stop begin end enable disable allow deny permit forbid
	install uninstall mount unmount lock unlock encrypt decrypt encode decode compress decompress extract zip unzip upload download import export
	push pull read write send receive buy sell lend borrow accept decline reject approve refuse include exclude connect disconnect
	ascending descending asc desc forward backward horizontal vertical
	cheap cheapest expensive fast fastest slow slowest hot cold warm wet dry full empty hard soft
	safe unsafe dangerous legal illegal possible impossible reachable unreachable advantage disadvantage
	formal informal public private local remote internal external input output source destination
	male female man woman men women boy girl father mother son daughter husband wife
	adult child children baby pregnant pregnancy
	supervised unsupervised symmetric asymmetric signed unsigned static dynamic sync async
	english german french spanish italian portuguese dutch polish russian ukrainian chinese japanese korean arabic hindi turkish greek latin
	swedish norwegian danish finnish czech hungarian romanian hebrew vietnamese thai indonesian british american
	python java javascript typescript go golang rust ruby perl php kotlin swift scala haskell bash powershell sql html css
	mysql postgresql postgres sqlite mongodb redis oracle linux windows macos ubuntu debian fedora android ios
	meter metre centimeter millimeter kilometer kilometre mile foot feet inch yard gram kilogram milligram microgram pound ounce ton liter litre gallon
	celsius fahrenheit kelvin percent dollar euro yen cent usd eur gbp jpy
	bit byte kilobyte megabyte gigabyte terabyte kb mb gb tb ms ns km cm mm kg mg ml mph kmh
	summarize translate explain list compare`)

// negations are read as `not`, in the languages that share the alphabet too.
var negations = set(`no never without cannot neither nor nothing nobody nowhere
	dont doesnt didnt isnt arent wasnt werent wont cant couldnt wouldnt shouldnt hasnt havent hadnt aint mustnt neednt
	nicht kein keine keinen nie niemals ohne
	ne pas jamais sans aucun
	sin nunca ningun jamas non senza mai
	nao não sem niet geen nooit zonder inte utan`)

// numerals are numbers that are written out.
var numerals = map[string]string{
	"zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8",
	"nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13", "fourteen": "14", "fifteen": "15",
	"sixteen": "16", "seventeen": "17", "eighteen": "18", "nineteen": "19", "twenty": "20", "thirty": "30", "forty": "40",
	"fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90", "hundred": "100", "thousand": "1000",
	"million": "1000000", "dozen": "12", "half": "1/2", "twice": "2x", "double": "2x",
}

func set(list string) map[string]bool {
	out := map[string]bool{}
	for _, word := range strings.Fields(list) {
		out[word] = true
	}
	return out
}

// emit adds the word that was read. name says that its spelling makes it a fact.
func (r *reader) emit(name bool) {
	word := string(r.word)
	counted := r.number
	r.number = false
	negated := false
	if base, ok := strings.CutSuffix(word, "n't"); ok {
		word, negated = base, true
		if word == "ca" || word == "wo" || word == "sha" {
			word = "can" // a filler, as will and shall are
		}
	} else if base, _, ok := strings.Cut(word, "'"); ok && base != "" {
		word = base // 's, 're, 'll, 've, 'd, 'm
	}
	number, numeral := numerals[word]
	switch {
	case numeral:
		r.add(hash(number, 'n'), true)
		r.number = true
	case negations[word]:
		negated = true
	case counted:
		// What a number counts is as much a fact as the number.
		r.add(hash(stem(word), 'w'), true)
	case name && len(word) > 1 || facts[word] || facts[stem(word)]:
		r.add(hash(stem(word), 'w'), true)
	case fillers[word]:
	default:
		r.add(hash(stem(word), 'w'), name && word != "i")
	}
	if negated {
		r.add(hash("not", 'w'), true)
	}
}

// stem takes an English plural's ending.
func stem(word string) string {
	switch {
	case len(word) < 4 || strings.HasSuffix(word, "ss") || strings.HasSuffix(word, "us") || strings.HasSuffix(word, "is"):
		return word
	case strings.HasSuffix(word, "ies") && len(word) > 4:
		return word[:len(word)-3] + "y"
	}
	return strings.TrimSuffix(word, "s")
}
